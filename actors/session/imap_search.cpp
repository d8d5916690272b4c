// SEARCH: rows first, then stored summaries, and the octets of a message only where nothing else can tell.
#include <algorithm>
#include <utility>

#include "actors/session/imap_service.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::session {

namespace {
/// Messages looked at in one index snapshot, between two turns for others.
constexpr std::uint32_t block_messages = 512;
} // namespace

runtime::task<imap::reply> imap_service::serve(imap::commands::search command) {
  auto view = open_->view;
  imap::search_context context;
  context.view = view;
  context.now = services_->clock->now();
  context.saved_result = saved_;
  const bool saves = (command.returns & imap::search_return::save) != 0;
  if (saves) // RFC 9051 6.4.4.1: a search that fails leaves an empty one
    saved_ = {};
  auto program = imap::search_program::compile(command.key, context);
  if (!program)
    co_return imap::bad(program.error().what);

  imap::search_result found;
  imap::sequence_set uids; // of the same messages
  auto add = [&](std::uint32_t sequence, const imap::message_item& item) {
    found.numbers.add(command.uid ? item.id.value : sequence);
    found.highest_modseq = std::max(found.highest_modseq, item.changed.value);
    if (saves)
      uids.add(item.id.value);
  };
  for (std::uint32_t first = 1; first <= view->size(); first += block_messages) {
    std::vector<std::uint32_t> open_questions; // ascending; decided by the octets
    std::vector<std::uint32_t> hits;
    {
      auto index = services_->store->read(user_.shard);
      if (!index)
        co_return imap::reply_for(index.error());
      view->for_range(first, first + block_messages - 1, [&](std::uint32_t sequence, const imap::message_item& item) {
        auto verdict = program->evaluate(sequence, item, nullptr);
        if (verdict == imap::search_verdict::needs_summary) {
          auto octets = index->summary(item.body);
          auto summary = octets ? mime::summary_view::open(*octets) : fail(errc::not_found, "no summary");
          verdict = summary ? program->evaluate(sequence, item, &*summary) : imap::search_verdict::needs_body;
        }
        if (verdict == imap::search_verdict::yes)
          hits.push_back(sequence);
        else if (verdict == imap::search_verdict::needs_body)
          open_questions.push_back(sequence);
      });
    }
    for (auto sequence : open_questions) {
      auto hit = co_await search_octets(*program, sequence, view->at(sequence));
      if (!hit && hit.error().code != errc::not_found) // gone meanwhile: not found by this search
        co_return imap::reply_for(hit.error());
      if (hit && *hit)
        hits.push_back(sequence);
    }
    std::sort(hits.begin(), hits.end());
    for (auto sequence : hits)
      add(sequence, view->at(sequence));
    if (view->size() - first >= block_messages)
      co_await breathe();
  }
  if (saves)
    saved_ = imap::saved_result(command, uids);
  imap::write_search_result(engine_.tag(), command, found, engine_.output());
  report_changes(command.uid);
  co_return imap::ok();
}

runtime::task<result<bool>> imap_service::search_octets(const imap::search_program& program, std::uint32_t sequence,
                                                        imap::message_item item) {
  auto message = co_await open_message(item.body);
  if (!message)
    co_return tl::make_unexpected(message.error());
  auto summary = mime::summary_view::open(message->summary);
  if (!summary)
    co_return tl::make_unexpected(summary.error());
  auto verdict = program.evaluate(sequence, item, &*summary);
  if (verdict != imap::search_verdict::needs_body)
    co_return verdict == imap::search_verdict::yes;
  imap::body_search search(program, sequence, item, *summary);
  for (std::uint64_t offset = 0; offset < message->body.size_bytes();) {
    auto piece = co_await message->body.read(io_, offset, body_stream::piece_bytes);
    if (!piece)
      co_return tl::make_unexpected(piece.error());
    if (piece->empty() || !search.feed(*piece))
      break;
    offset += piece->size();
  }
  co_return search.finish();
}

} // namespace merpati::session
