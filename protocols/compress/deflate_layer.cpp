#include "protocols/compress/deflate_layer.hpp"

#include <limits>
#include <new>
#include <stdexcept>

#include <zlib.h>

namespace merpati::compress {

namespace {

// Negative: without header and checksum. The peer may use all of the format's window (RFC 4978 3 names no less), so
// what we inflate with has all of it; what we deflate with costs half as much memory for mail that is hardly larger.
constexpr int inflate_window = -15;
constexpr int deflate_window = -13;
constexpr int deflate_memory = 6;
constexpr std::size_t output_step = 8 * 1024;

Bytef* octets(const char* data) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(data)); // zlib reads only
}

} // namespace

struct deflate_layer::state {
  z_stream out{};
  z_stream in{};
  std::vector<char> waiting; ///< fed, not inflated
  std::size_t taken = 0;     ///< of these, inflated
};

deflate_layer::deflate_layer() : state_(std::make_unique<state>()) {
  if (::deflateInit2(&state_->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, deflate_window, deflate_memory,
                     Z_DEFAULT_STRATEGY)
      != Z_OK)
    throw std::bad_alloc();
  if (::inflateInit2(&state_->in, inflate_window) != Z_OK) {
    ::deflateEnd(&state_->out);
    throw std::bad_alloc();
  }
}

deflate_layer::~deflate_layer() {
  ::deflateEnd(&state_->out);
  ::inflateEnd(&state_->in);
}

void deflate_layer::write(std::string_view plain, std::vector<char>& wire_out) {
  if (plain.empty())
    return;
  if (plain.size() > std::numeric_limits<uInt>::max())
    throw std::length_error("deflate: too much at once");
  auto& z = state_->out;
  z.next_in = octets(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  do {
    const auto before = wire_out.size();
    wire_out.resize(before + output_step);
    z.next_out = octets(wire_out.data() + before);
    z.avail_out = output_step;
    ::deflate(&z, Z_SYNC_FLUSH); // the peer sees all of it at once
    wire_out.resize(before + output_step - z.avail_out);
  } while (z.avail_out == 0);
}

void deflate_layer::feed(std::string_view wire) {
  auto& s = *state_;
  s.waiting.erase(s.waiting.begin(), s.waiting.begin() + static_cast<std::ptrdiff_t>(s.taken));
  s.taken = 0;
  s.waiting.insert(s.waiting.end(), wire.begin(), wire.end());
}

result<void> deflate_layer::read(std::size_t most, std::vector<char>& plain_out) {
  auto& s = *state_;
  const auto before = plain_out.size();
  plain_out.resize(before + most);
  s.in.next_in = octets(s.waiting.data() + s.taken);
  s.in.avail_in = static_cast<uInt>(s.waiting.size() - s.taken);
  s.in.next_out = octets(plain_out.data() + before);
  s.in.avail_out = static_cast<uInt>(most);
  const int done = ::inflate(&s.in, Z_SYNC_FLUSH);
  s.taken = s.waiting.size() - s.in.avail_in;
  plain_out.resize(before + most - s.in.avail_out);
  // Z_BUF_ERROR: nothing could be done, there is no more input or nothing left in the window.
  if (done == Z_OK || done == Z_BUF_ERROR)
    return {};
  if (done == Z_MEM_ERROR)
    throw std::bad_alloc();
  return fail(errc::invalid, done == Z_STREAM_END ? "the peer ended its compressed stream" : "what came is no DEFLATE");
}

} // namespace merpati::compress
