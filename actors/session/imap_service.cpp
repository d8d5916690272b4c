#include "actors/session/imap_service.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "actors/session/common_steps.hpp"
#include "actors/session/imap_session.hpp"

namespace merpati::session {

imap_service::imap_service(runtime::session_io& io, services_ptr services, door_ptr entrance)
    : io_(io), services_(std::move(services)), engine_(engine_options(*entrance)), to_disk_(services_->intake) {
  to_disk_.in_memory_bytes = 0;
}

imap_service::~imap_service() {
  leave_mailbox();
}

imap::engine_options imap_service::engine_options(const door& entrance) const {
  const auto& configured = services_->limits;
  imap::engine_options options;
  options.tls_active = entrance.implicit_tls;
  options.starttls_available = !entrance.implicit_tls && services_->tls() != nullptr;
  options.plaintext_login_allowed = entrance.plaintext_login;
  options.limits.line_before_login = configured.imap.line_before_login_bytes;
  options.limits.command_before_login = configured.imap.line_before_login_bytes;
  options.limits.line_after_login = configured.imap.line_bytes;
  options.limits.command_after_login = std::max(options.limits.command_after_login, options.limits.line_after_login);
  options.limits.append_bytes = configured.message_bytes;
  options.offer_quota = options.offer_append_limit = options.offer_unauthenticate = true;
  options.offer_imap4rev2 = options.offer_condstore = options.offer_compress = true;
  options.offer_sort = options.offer_qresync = options.offer_preview = true;
  options.offer_searchres = options.offer_objectid = options.offer_savedate = true;
  options.limits.bad_commands = static_cast<unsigned>(configured.imap.bad_commands);
  options.limits.bad_commands_before_login = static_cast<unsigned>(configured.imap.bad_commands_before_login);
  options.limits.mailbox_name = configured.imap.mailbox_name_bytes;
  options.limits.mailbox_levels = configured.imap.mailbox_levels;
  return options;
}

runtime::task<void> imap_service::run() {
  engine_.set_channel_bindings(bindings_of(io_));
  engine_.start();
  for (;;) {
    auto step = engine_.next();
    if (std::holds_alternative<imap::steps::need_input>(step)) {
      auto go_on = co_await read_more();
      if (!go_on)
        co_return;
    } else if (std::holds_alternative<imap::steps::send_output>(step)) {
      auto sent = co_await send_output();
      if (!sent)
        co_return;
    } else if (auto* command = std::get_if<imap::steps::execute>(&step)) {
      auto answer = co_await carry_out(std::move(command->what.body));
      if (io_.closed())
        co_return;
      engine_.finish(answer);
    } else if (auto* login = std::get_if<imap::steps::log_in>(&step)) {
      auto who = co_await log_in(io_, *services_, std::move(login->authorization), std::move(login->user),
                                 std::move(login->password));
      admit(std::move(who));
    } else if (auto* wanted = std::get_if<imap::steps::scram_lookup>(&step)) {
      auto keys = co_await scram_keys(io_, *services_, std::move(wanted->user));
      if (keys)
        engine_.scram_keys(std::move(*keys));
      else
        engine_.login_failed(keys.error());
    } else if (auto* proof = std::get_if<imap::steps::scram_proven>(&step)) {
      auto who = co_await log_in_proven(io_, *services_, std::move(proof->authorization), std::move(proof->user));
      admit(std::move(who));
    } else if (auto* append = std::get_if<imap::steps::append_begin>(&step)) {
      append_.reset();
      co_await begin_append(std::move(append->what));
    } else if (auto* next = std::get_if<imap::steps::append_next>(&step)) {
      co_await next_append(std::move(next->what));
    } else if (auto* data = std::get_if<imap::steps::append_data>(&step)) {
      co_await append_octets(data->octets);
    } else if (std::holds_alternative<imap::steps::append_end>(step)) {
      auto answer = co_await end_append();
      engine_.finish(answer);
    } else if (std::holds_alternative<imap::steps::append_cancelled>(step)) {
      append_.reset();
    } else if (std::holds_alternative<imap::steps::start_tls>(step)) {
      auto established = co_await start_tls(io_, *services_, engine_.take_output(), "imap");
      if (!established)
        co_return;
      engine_.set_channel_bindings(bindings_of(io_));
      engine_.tls_started();
    } else if (std::holds_alternative<imap::steps::start_compression>(step)) {
      auto sent = co_await send_output();
      if (!sent)
        co_return;
      io_.start_compression();
      engine_.compression_started();
    } else if (std::holds_alternative<imap::steps::idle_begin>(step)) {
      co_await refresh();
      report_changes(true);
    } else if (std::holds_alternative<imap::steps::idle_end>(step)) {
      report_changes(true);
      engine_.finish(imap::ok());
    } else {
      co_await send_output();
      co_return;
    }
  }
}

runtime::task<bool> imap_service::send_output() {
  auto output = engine_.take_output();
  if (output.empty())
    co_return true;
  auto sent = co_await io_.write(output);
  co_return sent.has_value();
}

/// Sends what there is and waits for what comes. False: the session is over.
runtime::task<bool> imap_service::read_more() {
  auto sent = co_await send_output();
  if (!sent)
    co_return false;
  bool known = engine_.state() != imap::session_state::not_authenticated;
  auto event = co_await io_.next(known ? services_->limits.imap.idle : services_->limits.imap.idle_before_login);
  if (event.is_data())
    engine_.feed(event.data());
  else if (event.is_notice())
    take_notice(event.notice());
  else if (event.is_stop())
    engine_.shutdown("UNAVAILABLE", "The server is stopping, connect again soon");
  else if (event.is_timeout())
    engine_.shutdown("", "Idle for too long");
  else
    co_return false;
  co_return true;
}

void imap_service::take_notice(const runtime::notice& notice) {
  const auto* update = notice.get<mail::mailbox_update>();
  if (!update || !open_)
    return;
  if (!update->now) {
    engine_.shutdown("", "The selected mailbox was deleted");
    return;
  }
  adopt(update->now);
  if (engine_.idling())
    report_changes(true);
}

void imap_service::admit(result<auth::identity> who) {
  if (who) {
    user_ = std::move(*who);
    engine_.login_succeeded();
  } else {
    engine_.login_failed(who.error());
  }
}

runtime::task<imap::reply> imap_service::carry_out(imap::command_body body) {
  return std::visit(
      [this](auto& command) -> task<imap::reply> {
        if constexpr (requires { serve(std::move(command)); })
          return serve(std::move(command));
        else
          throw std::logic_error("the engine handed over a command that it carries out by itself");
      },
      body);
}

void imap_service::adopt(imap::snapshot_ptr now) {
  if (open_ && now && now->state().highest_modseq >= open_->now->state().highest_modseq)
    open_->now = std::move(now);
}

void imap_service::report_changes(bool expunge_allowed) {
  if (!open_)
    return;
  imap::change_rules rules;
  rules.expunge_allowed = expunge_allowed;
  rules.with_modseq = engine_.enabled().condstore;
  rules.with_uid = rules.vanished = engine_.enabled().qresync;
  rules.read_only = open_->read_only;
  open_->view = imap::write_changes(open_->view, open_->now, rules, engine_.output());
}

/// VANISHED (EARLIER): those of `among` that went since `since`. What the client's view still has goes when it is told.
result<void> imap_service::tell_vanished(modseq since, const imap::sequence_set& among) {
  auto view = services_->store->read(user_.shard);
  if (!view)
    return tl::make_unexpected(view.error());
  imap::sequence_set gone;
  const auto last = open_->view->state().uid_next.value;
  for (auto id : view->changes_since(open_->view->state().id, since).expunged)
    if (among.contains(id.value, last) && !open_->view->find(id))
      gone.add(id.value);
  imap::write_vanished(gone, true, engine_.output());
  return {};
}

/// "HIGHESTMODSEQ n" for the tagged OK of a command that removed messages (RFC 7162 3.2.7); empty without QRESYNC.
std::string imap_service::highest_modseq_code() const {
  if (!engine_.enabled().qresync)
    return {};
  return "HIGHESTMODSEQ " + std::to_string(open_->view->state().highest_modseq.value);
}

/// Everything that was acknowledged to anybody by now is in `open_->now` afterwards.
runtime::task<void> imap_service::refresh() {
  if (!open_)
    co_return;
  auto reply = co_await io_.ask<mail::mailbox_reply>(open_->actor, mail::refresh{});
  if (reply && reply->now)
    adopt(std::move(reply->now));
  else
    engine_.shutdown("UNAVAILABLE", "The selected mailbox is gone or can't be read now");
}

runtime::task<mail::mailbox_reply> imap_service::change(storage::mutation what) {
  mail::change request;
  request.what = std::move(what);
  auto reply = co_await io_.ask<mail::mailbox_reply>(open_->actor, std::move(request));
  mail::mailbox_reply answer{fail(errc::unavailable, "the mailbox does not answer"), nullptr};
  if (reply)
    answer = std::move(*reply);
  adopt(answer.now);
  co_return answer;
}

void imap_service::leave_mailbox() {
  if (!open_)
    return;
  mail::leave farewell;
  farewell.session = io_.self();
  caf::anon_send(open_->actor, std::move(farewell));
  open_.reset();
  saved_ = {};
}

result<std::vector<uid>> imap_service::resolve(const imap::sequence_set& asked, bool uids) const {
  const auto& set = asked.is_saved_result() ? saved_ : asked;
  uids = uids || asked.is_saved_result();
  std::vector<uid> found;
  const auto& view = *open_->view;
  bool none_of_none = view.size() == 0 && set.has_star(); // "1:*" of an empty mailbox: clients mean "whatever is there"
  if (!uids && !set.fits(view.size()) && !none_of_none)
    return fail(errc::invalid, "there is no message with that sequence number");
  auto add = [&](std::uint32_t, const imap::message_item& item) { found.push_back(item.id); };
  for (auto range : set.resolve(uids ? view.last_uid().value : view.size())) {
    if (!uids) {
      view.for_range(range.first, range.last, add);
      continue;
    }
    auto first = view.lower_bound(uid{range.first});
    auto behind = range.last == UINT32_MAX ? view.size() + 1 : view.lower_bound(uid{range.last + 1});
    if (behind > first)
      view.for_range(first, behind - 1, add);
  }
  return found;
}

runtime::task<void> imap_service::breathe() {
  co_await io_.sleep(std::chrono::nanoseconds(0));
}

runtime::task<void> run_imap_session(runtime::session_io& io, services_ptr services, door_ptr entrance) {
  imap_service service(io, std::move(services), std::move(entrance));
  co_await run_guarded(io, service, "* BYE [SERVERBUG] The server failed, connect again\r\n");
}

} // namespace merpati::session
