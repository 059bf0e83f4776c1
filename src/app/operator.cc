// SPDX-License-Identifier: Apache-2.0
#include "app/operator.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string>

namespace retour {

namespace {

struct Endpoint {
  Ip ip;
  std::string zone;  ///< of a link-local address: its link
};

std::optional<Endpoint> endpoint(const std::string& text) {
  const auto percent = text.find('%');
  const auto ip = Ip::parse(std::string_view(text).substr(0, percent));
  if (!ip) return std::nullopt;
  return Endpoint{*ip, percent == std::string::npos ? "" : text.substr(percent + 1)};
}

std::optional<std::uint16_t> port(const std::string& text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

std::vector<std::string> words_of(const char* variable) {
  const char* value = std::getenv(variable);
  std::istringstream in(value != nullptr ? value : "");
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

/// Without a local address when only SSH_CLIENT is there.
std::optional<Connection> session(const Snapshot& host) {
  auto words = words_of("SSH_CONNECTION");
  if (words.size() != 4) {
    words = words_of("SSH_CLIENT");
    if (words.size() != 3) return std::nullopt;
    words.insert(words.begin() + 2, "");
  }
  const auto peer = endpoint(words[0]);
  const auto peer_port = port(words[1]);
  const auto local_port = port(words[3]);
  if (!peer || !peer_port || !local_port) return std::nullopt;
  Connection connection;
  connection.peer = peer->ip;
  connection.peer_port = *peer_port;
  connection.local_port = *local_port;
  if (const auto local = endpoint(words[2])) connection.local = local->ip;
  const Link* link = peer->zone.empty() ? nullptr : host.link(peer->zone);
  if (link != nullptr) connection.bound = link->index;
  connection.of_operator = true;
  return connection;
}

}  // namespace

void find_operator(const Snapshot& host, std::vector<Connection>& connections) {
  const auto own = session(host);
  if (!own) return;
  const auto known = std::ranges::find_if(connections, [&](const Connection& other) {
    return other.peer == own->peer && other.peer_port == own->peer_port &&
           other.local_port == own->local_port &&
           (own->local.is_unspecified() || other.local == own->local);
  });
  if (known != connections.end()) {
    known->of_operator = true;
    return;
  }
  const auto here = [&](const Address& address) { return address.local.address == own->local; };
  if (std::ranges::any_of(host.addresses, here)) connections.push_back(*own);
}

}  // namespace retour
