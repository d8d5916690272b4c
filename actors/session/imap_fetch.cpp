// FETCH: rows and summaries are rendered in blocks from one index snapshot each; octets of bodies are streamed.
#include <algorithm>
#include <utility>

#include "actors/session/imap_service.hpp"
#include "base/log.hpp"
#include "protocols/mime/decoder.hpp"
#include "protocols/mime/parser.hpp"
#include "protocols/mime/preview.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::session {

namespace {

/// Messages rendered before the output is sent and other sessions get their turn.
constexpr std::size_t block_messages = 256;
/// Output gathered before it is sent, so that small pieces become one send.
constexpr std::size_t send_from_bytes = 32 * 1024;

/// Steps through ascending UIDs of a view without a search for each.
class sequence_walker {
public:
  explicit sequence_walker(const imap::mailbox_snapshot& view) : view_(&view) {}

  std::uint32_t sequence_of(uid id) {
    ++last_;
    if (last_ > view_->size() || view_->at(last_).id != id)
      last_ = view_->lower_bound(id); // resolve() took the UIDs from this very view
    return last_;
  }

private:
  const imap::mailbox_snapshot* view_;
  std::uint32_t last_ = 0;
};

} // namespace

runtime::task<imap::reply> imap_service::serve(imap::commands::fetch command) {
  auto ids = resolve(command.set, command.uid);
  if (!ids)
    co_return imap::bad(ids.error().what);
  if (command.partial) { // before CHANGEDSINCE (RFC 9394 3.4)
    const auto [begin, length] = imap::slice_of(*command.partial, ids->size());
    const auto first = ids->begin() + static_cast<std::ptrdiff_t>(begin);
    *ids = std::vector<uid>(first, first + static_cast<std::ptrdiff_t>(length));
  }
  if (command.changed_since) // RFC 7162 3.1.4.1
    std::erase_if(
        *ids, [&](uid id) { return open_->view->at(*open_->view->find(id)).changed.value <= *command.changed_since; });
  if (command.vanished) // RFC 7162 3.2.6: before the rest
    if (auto told = tell_vanished(modseq{*command.changed_since}, command.set.is_saved_result() ? saved_ : command.set);
        !told)
      co_return imap::reply_for(told.error());
  imap::fetch_plan plan(std::move(command.items), command.uid, open_->read_only);
  auto seen_now = co_await set_seen(plan, *ids);
  if (!seen_now)
    co_return imap::reply_for(seen_now.error());
  result<void> done;
  if (plan.needs_body())
    done = co_await fetch_bodies(plan, *ids, *seen_now);
  else if (plan.needs_summary())
    done = co_await fetch_summaries(plan, *ids);
  else
    done = co_await fetch_rows(plan, *ids);
  report_changes(command.uid);
  if (done)
    co_return imap::ok();
  if (done.error().code == errc::not_found)
    co_return imap::no("EXPUNGEISSUED", "Some of the messages are gone"); // RFC 5530 3
  co_return imap::reply_for(done.error());
}

/// Sets \Seen on those that are read by this FETCH, and answers which they are. The client learns it by the FETCH.
runtime::task<result<std::vector<uid>>> imap_service::set_seen(const imap::fetch_plan& plan,
                                                               const std::vector<uid>& ids) {
  storage::store_flags request;
  sequence_walker walker(*open_->view);
  for (auto id : ids)
    if (plan.sets_seen(open_->view->at(walker.sequence_of(id))))
      request.uids.push_back(id);
  if (request.uids.empty())
    co_return std::vector<uid>();
  request.mailbox = open_->view->state().id;
  request.how = storage::store_flags::mode::add;
  request.flags = storage::flag_seen;
  auto reply = co_await change(std::move(request));
  if (!reply.done)
    co_return tl::make_unexpected(reply.done.error());
  auto seen_now = std::move(reply.done->uids);
  std::vector<imap::message_item> changed;
  for (auto id : seen_now)
    if (auto sequence = open_->now->find(id))
      changed.push_back(open_->now->at(*sequence));
  open_->view = open_->view->with_changed(changed, open_->view->state());
  co_return seen_now;
}

runtime::task<result<void>> imap_service::fetch_rows(const imap::fetch_plan& plan, const std::vector<uid>& ids) {
  auto view = open_->view;
  sequence_walker walker(*view);
  for (auto id : ids) {
    auto sequence = walker.sequence_of(id);
    plan.render_row(sequence, view->at(sequence), view->keywords(), engine_.output());
    if (engine_.output().size() < send_from_bytes)
      continue;
    auto sent = co_await send_output();
    if (!sent)
      co_return fail(errc::unavailable, "the connection is gone");
  }
  co_return result<void>();
}

runtime::task<result<void>> imap_service::fetch_summaries(const imap::fetch_plan& plan, const std::vector<uid>& ids) {
  auto view = open_->view;
  sequence_walker walker(*view);
  for (std::size_t begin = 0; begin < ids.size(); begin += block_messages) {
    std::vector<std::uint32_t> damaged; // these take the long way
    {
      auto index = services_->store->read(user_.shard);
      if (!index)
        co_return tl::make_unexpected(index.error());
      for (auto at = begin; at < std::min(begin + block_messages, ids.size()); ++at) {
        auto sequence = walker.sequence_of(ids[at]);
        const auto& item = view->at(sequence);
        auto octets = index->summary(item.body);
        auto summary = octets ? mime::summary_view::open(*octets) : fail(errc::not_found, "no summary");
        if (!summary || !plan.render_summary(sequence, item, view->keywords(), &*summary, engine_.output()))
          damaged.push_back(sequence);
      }
    }
    for (auto sequence : damaged) {
      auto done = co_await fetch_one(plan, sequence, false);
      if (!done)
        co_return done;
    }
    auto sent = co_await send_output();
    if (!sent)
      co_return fail(errc::unavailable, "the connection is gone");
  }
  co_return result<void>();
}

runtime::task<result<void>> imap_service::fetch_bodies(const imap::fetch_plan& plan, const std::vector<uid>& ids,
                                                       const std::vector<uid>& seen_now) {
  auto view = open_->view;
  sequence_walker walker(*view);
  result<void> outcome;
  for (auto id : ids) {
    bool seen = std::binary_search(seen_now.begin(), seen_now.end(), id);
    auto done = co_await fetch_one(plan, walker.sequence_of(id), seen);
    if (!done && done.error().code != errc::not_found)
      co_return done;
    if (!done)
      outcome = done; // the others are still fetched
    if (engine_.output().size() < send_from_bytes)
      continue;
    auto sent = co_await send_output();
    if (!sent)
      co_return fail(errc::unavailable, "the connection is gone");
  }
  co_return outcome;
}

runtime::task<result<void>> imap_service::fetch_one(const imap::fetch_plan& plan, std::uint32_t sequence,
                                                    bool seen_now) {
  auto item = open_->view->at(sequence);
  auto message = co_await open_message(item.body);
  if (!message)
    co_return tl::make_unexpected(message.error());
  auto summary = mime::summary_view::open(message->summary);
  if (!summary)
    co_return tl::make_unexpected(summary.error());
  std::vector<imap::fetch_piece> pieces;
  auto rendered = plan.render(sequence, item, open_->view->keywords(), &*summary, pieces, seen_now);
  if (!rendered)
    co_return rendered;
  for (const auto& piece : pieces) {
    auto sent = co_await send_piece(piece, message->body);
    if (sent)
      continue;
    // A literal was promised and can't be completed: nothing that follows would be understood.
    log::error("imap: message {} of {} can't be read: {}", item.id.value, user_.name, sent.error().what);
    io_.close();
    co_return sent;
  }
  co_return result<void>();
}

runtime::task<result<imap_service::stored_message>> imap_service::open_message(body_id id) {
  std::string summary;
  std::optional<body_stream> body;
  {
    auto index = services_->store->read(user_.shard);
    if (!index)
      co_return tl::make_unexpected(index.error());
    summary = index->summary(id).value_or(std::string_view());
    auto opened = body_stream::open(*services_->store, user_.shard, *index, id);
    if (!opened)
      co_return tl::make_unexpected(opened.error());
    body = std::move(*opened);
  }
  if (!mime::summary_view::open(summary)) {
    mime::parser parser(services_->intake.mime);
    for (std::uint64_t offset = 0; offset < body->size_bytes();) {
      auto piece = co_await body->read(io_, offset, body_stream::piece_bytes);
      if (!piece)
        co_return tl::make_unexpected(piece.error());
      parser.feed(*piece);
      offset += piece->size();
    }
    summary = mime::summarise(parser.finish(), services_->intake.mime);
  }
  stored_message message{std::move(*body), std::move(summary)};
  co_return std::move(message);
}

runtime::task<result<std::string>> imap_service::read_octets(body_stream& body, std::uint64_t offset,
                                                             std::uint64_t length) {
  std::string octets;
  while (octets.size() < length) {
    auto piece = co_await body.read(io_, offset + octets.size(), length - octets.size());
    if (!piece)
      co_return tl::make_unexpected(piece.error());
    if (piece->empty())
      co_return fail(errc::corrupted, "the body is shorter than its record says");
    octets.append(*piece);
  }
  co_return octets;
}

runtime::task<result<void>> imap_service::send_piece(const imap::fetch_piece& piece, body_stream& body) {
  if (const auto* text = std::get_if<imap::text_piece>(&piece)) {
    engine_.output() += text->octets;
    co_return result<void>();
  }
  if (const auto* header = std::get_if<imap::header_piece>(&piece)) {
    auto octets = co_await read_octets(body, header->offset, header->length);
    if (!octets)
      co_return tl::make_unexpected(octets.error());
    imap::write_header_fields(*header, *octets, engine_.output());
    co_return result<void>();
  }
  if (const auto* binary = std::get_if<imap::binary_piece>(&piece)) {
    std::string decoded;
    mime::body_decoder decoder(binary->encoding);
    for (std::uint64_t done = 0; done < binary->length;) {
      auto octets = co_await body.read(io_, binary->offset + done, binary->length - done);
      if (!octets || octets->empty())
        co_return fail(errc::corrupted, "the body is shorter than its record says");
      decoder.feed(*octets, decoded);
      done += octets->size();
    }
    decoder.finish(decoded);
    imap::write_binary(*binary, decoded, engine_.output());
    co_return result<void>();
  }
  if (const auto* preview = std::get_if<imap::preview_piece>(&piece)) {
    std::string decoded;
    mime::text_decoder decoder(preview->encoding, preview->charset);
    for (std::uint64_t done = 0; done < preview->length && decoded.size() < mime::preview_octets;) {
      const auto wanted = std::min<std::uint64_t>(preview->length - done, mime::preview_octets);
      auto octets = co_await body.read(io_, preview->offset + done, wanted);
      if (!octets || octets->empty())
        co_return fail(errc::corrupted, "the body is shorter than its record says");
      decoder.feed(*octets, decoded);
      done += octets->size();
    }
    imap::write_preview(decoded, engine_.output());
    co_return result<void>();
  }
  const auto& range = std::get<imap::body_piece>(piece);
  for (std::uint64_t done = 0; done < range.length;) {
    auto octets = co_await body.read(io_, range.offset + done, range.length - done);
    if (!octets)
      co_return tl::make_unexpected(octets.error());
    if (octets->empty())
      co_return fail(errc::corrupted, "the body is shorter than its record says");
    done += octets->size();
    engine_.output().append(*octets);
    if (engine_.output().size() < send_from_bytes)
      continue;
    auto sent = co_await send_output();
    if (!sent)
      co_return fail(errc::unavailable, "the connection is gone");
  }
  co_return result<void>();
}

} // namespace merpati::session
