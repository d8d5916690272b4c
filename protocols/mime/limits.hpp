// How much of a message is looked at. Past a limit the message is still whole and readable, but less of it is
// understood: what lies beyond is one opaque part, or a field that counts as absent.
#pragma once

#include <cstddef>

namespace merpati::mime {

struct limits {
  /// Parts inside each other. Real mail stays below 10; the tree is walked recursively, so this bounds the stack.
  std::size_t depth = 100;
  /// Parts of one message. Digests and archives have hundreds; each costs a node of about half a KiB.
  std::size_t parts = 10'000;
  /// Octets of all header fields together that are looked at. Above any real header by two orders of magnitude.
  std::size_t header_octets = 10u << 20;
  /// Octets of one field that are kept. A To with 5,000 recipients fits.
  std::size_t field_octets = 256u << 10;
  /// Octets of all field values together that are kept in the tree, so that neither the tree nor the summary made of
  /// it grows with hostile headers.
  std::size_t kept_octets = 2u << 20;
  /// Parameters of one field. RFC 2231 splits long file names into some ten of them.
  std::size_t parameters = 128;
  /// Octets of a boundary. RFC 2046 5.1.1 says 70; some senders take many more. A line is held back only this far.
  std::size_t boundary_octets = 8'192;
  /// Addresses written to ENVELOPE, all fields and nested messages together: a one-letter address grows sixteenfold.
  std::size_t addresses = 20'000;
  /// Message-IDs kept of References: the first (the root of the thread) and the last ones.
  std::size_t references = 100;
  /// Octets of each decoded value that is kept for search and sort (more is found in the header itself).
  std::size_t search_octets = 64u << 10;
};

} // namespace merpati::mime
