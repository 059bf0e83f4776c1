// SPDX-License-Identifier: Apache-2.0
#include "text/route_attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "plan/raw_attributes.h"

namespace retour {
namespace {

/// An attribute inside another, padded to four bytes.
void append(std::vector<std::uint8_t>& data, const RawAttribute& attribute) {
  constexpr std::size_t header = 4;
  const auto size = static_cast<std::uint16_t>(header + attribute.data.size());
  for (const std::uint16_t word : {size, attribute.type}) {
    const RawAttribute bytes = number_attribute(0, word);
    data.insert(data.end(), bytes.data.begin(), bytes.data.end());
  }
  data.insert(data.end(), attribute.data.begin(), attribute.data.end());
  data.resize((data.size() + 3U) & ~std::size_t{3});
}

std::optional<std::uint32_t> realm(std::string_view text) {
  if (text == "cosmos") return 0;  // as rt_realms ships
  const auto number = parse_number(text, 0xffff);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

/// "50ms", "2.5s", or bare milliseconds, as JSON has them.
std::optional<double> milliseconds(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (error != std::errc{} || !(value >= 0)) return std::nullopt;
  if (unit == "s") return value * 1000;
  if (unit == "ms" || unit.empty()) return value;
  return std::nullopt;
}

/// The kernel keeps the round trip in eighths and its variance in quarters of a millisecond.
double per_millisecond(std::size_t type) {
  if (type == metric_rtt) return 8;
  return type == metric_rttvar ? 4 : 1;
}

std::uint32_t read_time(std::size_t type, Cursor& in) {
  const std::string_view text = in.value("a time in ms or s");
  const auto time = milliseconds(text);
  const double value = time.value_or(0) * per_millisecond(type);
  if (!time || value > 0xffffffffU) {
    in.fail(text, "a time in ms or s");
    return 0;
  }
  return static_cast<std::uint32_t>(std::lround(value));
}

std::uint32_t read_features(Cursor& in) {
  std::uint32_t features = 0;
  while (!in.done()) {
    if (in.take_if("ecn")) {
      features |= feature_ecn;
    } else if (in.take_if("tcp_usec_ts")) {
      features |= feature_tcp_usec_ts;
    } else if (in.peek().starts_with("0x")) {
      features |= static_cast<std::uint32_t>(in.number("features as bits", 0xffffffffU));
    } else {
      break;
    }
  }
  return features;
}

}  // namespace

std::optional<RawAttribute> read_realms(std::string_view text) {
  const auto slash = text.find('/');
  const auto from = slash == std::string_view::npos ? 0 : realm(text.substr(0, slash));
  const auto to = realm(slash == std::string_view::npos ? text : text.substr(slash + 1));
  if (!from || !to) return std::nullopt;
  return number_attribute(attribute_realms, *from << 16U | *to);
}

bool RouteAttributes::take(Cursor& in, Notes& notes) {
  if (in.take_if("realms") || in.take_if("realm")) {
    const std::string_view text = in.value("realms");
    realms_ = read_realms(text);
    if (!realms_ && !in.error()) {
      notes.not_represented(in.where(), fmt::format("realms {}, of unknown number", text));
    }
    return true;
  }
  const auto* const word = std::ranges::find(metric_words, in.peek());
  if (in.peek().empty() || word == metric_words.end()) return false;
  in.take();
  metric(static_cast<std::size_t>(word - metric_words.begin()), in);
  return true;
}

void RouteAttributes::metric(std::size_t type, Cursor& in) {
  if (in.take_if("lock")) numbers_[metric_lock] |= 1U << type;
  if (type == metric_congctl) {
    constexpr std::size_t longest = 15;  // TCP_CA_NAME_MAX
    congctl_ = in.value("a congestion control");
    if (congctl_.size() > longest) in.fail(congctl_, "the name of a congestion control");
  } else if (type == metric_features) {
    numbers_[type] |= read_features(in);  // JSON has each by itself
  } else if (type == metric_rtt || type == metric_rttvar || type == metric_rto_min) {
    numbers_[type] = read_time(type, in);
  } else {
    numbers_[type] = static_cast<std::uint32_t>(in.number("a number", 0xffffffffU));
  }
}

std::vector<RawAttribute> RouteAttributes::attributes() const {
  std::vector<RawAttribute> out;
  RawAttribute metrics{attribute_metrics, {}};
  // rtnetlink_put_metrics(): by number, and none that is zero.
  constexpr auto metric_count = static_cast<std::uint16_t>(metric_words.size());
  for (std::uint16_t type = 0; type < metric_count; ++type) {
    const auto it = numbers_.find(type);
    if (it != numbers_.end() && it->second != 0) {
      append(metrics.data, number_attribute(type, it->second));
    }
    if (type != metric_congctl || congctl_.empty()) continue;
    RawAttribute name{type, {congctl_.begin(), congctl_.end()}};
    name.data.push_back(0);
    append(metrics.data, name);
  }
  if (!metrics.data.empty()) out.push_back(std::move(metrics));
  if (realms_) out.push_back(*realms_);
  return out;
}

}  // namespace retour
