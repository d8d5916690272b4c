// SEARCH, SORT and THREAD: rows first, then stored summaries, and the octets of a message only where nothing else can
// tell.
#include <algorithm>
#include <utility>

#include "actors/session/imap_service.hpp"
#include "protocols/imap/message_sort.hpp"
#include "protocols/imap/message_threads.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::session {

namespace {
/// Messages looked at in one index snapshot, between two turns for others.
constexpr std::uint32_t block_messages = 512;
} // namespace

namespace {

imap::reply failed_search(const error& why) {
  return why.code == errc::invalid ? imap::bad(why.what) : imap::reply_for(why);
}

} // namespace

/// Sequence numbers in the client's view, ascending. errc::invalid: the key names a message that is not there.
runtime::task<result<std::vector<std::uint32_t>>> imap_service::find(const imap::search_key& key) {
  auto view = open_->view;
  imap::search_context context;
  context.view = view;
  context.now = services_->clock->now();
  context.saved_result = saved_;
  auto program = imap::search_program::compile(key, context);
  if (!program)
    co_return tl::make_unexpected(error{errc::invalid, program.error().what});

  std::vector<std::uint32_t> hits;
  for (std::uint32_t first = 1; first <= view->size(); first += block_messages) {
    const auto before = hits.size();
    std::vector<std::uint32_t> open_questions; // ascending; decided by the octets
    {
      auto index = services_->store->read(user_.shard);
      if (!index)
        co_return tl::make_unexpected(index.error());
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
        co_return tl::make_unexpected(hit.error());
      if (hit && *hit)
        hits.push_back(sequence);
    }
    std::sort(hits.begin() + static_cast<std::ptrdiff_t>(before), hits.end());
    if (view->size() - first >= block_messages)
      co_await breathe();
  }
  co_return hits;
}

runtime::task<imap::reply> imap_service::serve(imap::commands::search command) {
  const bool saves = (command.returns & imap::search_return::save) != 0;
  auto hits = co_await find(command.key);
  if (saves) // RFC 9051 6.4.4.1: a search that fails leaves an empty one
    saved_ = {};
  if (!hits)
    co_return failed_search(hits.error());
  imap::search_result found;
  imap::sequence_set uids; // of the same messages
  for (auto sequence : *hits) {
    const auto item = open_->view->at(sequence);
    found.numbers.add(command.uid ? item.id.value : sequence);
    found.highest_modseq = std::max(found.highest_modseq, item.changed.value);
    if (saves)
      uids.add(item.id.value);
  }
  if (saves)
    saved_ = imap::saved_result(command, uids);
  imap::write_search_result(engine_.tag(), command, found, engine_.output());
  report_changes(command.uid);
  co_return imap::ok();
}

/// Calls `each` with every message of `sequences` and its summary, an empty one where it is lost; in blocks, so that
/// others have their turn.
runtime::task<result<void>> imap_service::for_each_summary(
    const std::vector<std::uint32_t>& sequences,
    std::function<void(const imap::message_item&, std::uint32_t sequence, const mime::summary_view&)> each) {
  for (std::size_t first = 0; first < sequences.size(); first += block_messages) {
    if (first != 0)
      co_await breathe();
    auto index = services_->store->read(user_.shard);
    if (!index)
      co_return tl::make_unexpected(index.error());
    const auto last = std::min<std::size_t>(first + block_messages, sequences.size());
    for (auto i = first; i != last; ++i) {
      const auto item = open_->view->at(sequences[i]);
      const auto octets = index->summary(item.body);
      const auto summary = octets ? mime::summary_view::open(*octets) : fail(errc::not_found, "no summary");
      each(item, sequences[i], summary ? *summary : mime::summary_view());
    }
  }
  co_return result<void>();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::sort command) {
  auto hits = co_await find(command.key);
  const bool saves = (command.returns & imap::search_return::save) != 0;
  if (saves)
    saved_ = {};
  if (!hits)
    co_return failed_search(hits.error());
  imap::message_sorter sorter(command.by);
  std::uint64_t highest_modseq = 0;
  auto add = [&](const imap::message_item& item, std::uint32_t sequence, const mime::summary_view& summary) {
    highest_modseq = std::max(highest_modseq, item.changed.value);
    sorter.add(sequence, item, summary);
  };
  auto added = result<void>();
  if (sorter.needs_summary())
    added = co_await for_each_summary(*hits, add);
  else
    for (auto sequence : *hits)
      add(open_->view->at(sequence), sequence, {});
  if (!added)
    co_return imap::reply_for(added.error());
  auto sorted = std::move(sorter).sorted();
  if (saves) { // MIN and MAX are the ends of what is sorted
    const bool ends = (command.returns & (imap::search_return::all | imap::search_return::count)) == 0
                      && (command.returns & (imap::search_return::min | imap::search_return::max)) != 0;
    const auto save = [&](std::uint32_t sequence) { saved_.add(open_->view->at(sequence).id.value); };
    if (!ends)
      std::for_each(hits->begin(), hits->end(), save);
    else if (!sorted.empty()) {
      if ((command.returns & imap::search_return::min) != 0)
        save(sorted.front());
      if ((command.returns & imap::search_return::max) != 0)
        save(sorted.back());
    }
  }
  if (command.uid)
    for (auto& number : sorted)
      number = open_->view->at(number).id.value;
  imap::write_sort_result(engine_.tag(), command, sorted, highest_modseq, engine_.output());
  report_changes(command.uid);
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::thread command) {
  auto hits = co_await find(command.key);
  if (!hits)
    co_return failed_search(hits.error());
  imap::message_threads threads(command.how);
  auto add = [&](const imap::message_item& item, std::uint32_t sequence, const mime::summary_view& summary) {
    threads.add(command.uid ? item.id.value : sequence, item, summary);
  };
  auto added = co_await for_each_summary(*hits, add);
  if (!added)
    co_return imap::reply_for(added.error());
  std::move(threads).write(engine_.output());
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
