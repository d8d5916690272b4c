#include "actors/session/pop3_session.hpp"

#include <utility>
#include <vector>

#include "actors/session/body_stream.hpp"
#include "actors/session/common_steps.hpp"
#include "base/log.hpp"
#include "protocols/pop3/server_engine.hpp"

namespace merpati::session {

namespace {

using runtime::task;

pop3::failure failure_for(errc code) {
  switch (code) {
  case errc::auth_failed:
  case errc::not_permitted: return pop3::failure::bad_credentials;
  case errc::in_use: return pop3::failure::in_use;
  case errc::internal:
  case errc::corrupted:
  case errc::not_found: return pop3::failure::permanent;
  default: return pop3::failure::temporary;
  }
}

class pop3_session {
public:
  pop3_session(runtime::session_io& io, services_ptr services, door_ptr entrance)
      : io_(io), services_(std::move(services)), engine_(engine_options(*entrance)) {}

  task<void> run();

private:
  struct message {
    uid id;
    body_id body;
  };

  pop3::server_options engine_options(const door& entrance) const;

  task<bool> send_output();
  task<bool> read_more();
  task<void> open_maildrop(result<auth::identity> who);
  task<result<void>> lock_maildrop();
  result<std::vector<pop3::maildrop_entry>> list_maildrop();
  task<bool> send_message(pop3::retrieve wanted);
  task<void> remove_messages(std::vector<std::size_t> deleted);

  runtime::session_io& io_;
  services_ptr services_;
  pop3::server_engine engine_;
  auth::identity owner_;
  mailbox_id inbox_;
  std::vector<message> messages_;
};

pop3::server_options pop3_session::engine_options(const door& entrance) const {
  pop3::server_options options;
  options.hostname = services_->hostname;
  options.tls_available = services_->tls() != nullptr;
  options.implicit_tls = entrance.implicit_tls;
  options.plaintext_login_allowed = entrance.plaintext_login;
  options.limits.command_line_bytes = services_->limits.pop3.line_bytes;
  options.limits.errors = services_->limits.pop3.errors;
  return options;
}

task<void> pop3_session::run() {
  engine_.set_channel_bindings(bindings_of(io_));
  engine_.start();
  for (;;) {
    auto step = engine_.next();
    if (std::holds_alternative<pop3::need_input>(step)) {
      auto go_on = co_await read_more();
      if (!go_on)
        co_return;
    } else if (std::holds_alternative<pop3::start_tls>(step)) {
      auto established = co_await start_tls(io_, *services_, engine_.take_output(), "pop3");
      if (!established)
        co_return;
      engine_.set_channel_bindings(bindings_of(io_));
      engine_.tls_started();
    } else if (auto* login = std::get_if<pop3::login>(&step)) {
      auto who = co_await log_in(io_, *services_, std::move(login->authzid), std::move(login->user),
                                 std::move(login->password));
      co_await open_maildrop(std::move(who));
    } else if (auto* looked_up = std::get_if<pop3::scram_lookup>(&step)) {
      auto keys = co_await scram_keys(io_, *services_, std::move(looked_up->user));
      if (keys)
        engine_.scram_keys(std::move(*keys));
      else
        engine_.login_refused(failure_for(keys.error().code));
    } else if (auto* proof = std::get_if<pop3::scram_proven>(&step)) {
      auto who = co_await log_in_proven(io_, *services_, std::move(proof->authzid), std::move(proof->user));
      co_await open_maildrop(std::move(who));
    } else if (auto* wanted = std::get_if<pop3::retrieve>(&step)) {
      auto go_on = co_await send_message(*wanted);
      if (!go_on)
        co_return;
    } else if (std::holds_alternative<pop3::send_output>(step)) {
      auto sent = co_await send_output();
      if (!sent)
        co_return;
    } else if (auto* commit = std::get_if<pop3::commit>(&step)) {
      co_await remove_messages(std::move(commit->deleted));
    } else {
      io_.write_soon(engine_.take_output());
      co_return;
    }
  }
}

/// False: the connection is gone.
task<bool> pop3_session::send_output() {
  auto output = engine_.take_output();
  auto sent = co_await io_.write(output);
  co_return sent.has_value();
}

/// Sends what the engine has to say and feeds it what comes. False: the session is over.
task<bool> pop3_session::read_more() {
  auto sent = co_await send_output();
  if (!sent)
    co_return false;
  auto event = co_await io_.next_data(services_->limits.pop3.idle);
  if (event.is_data())
    engine_.feed(event.data());
  else if (event.is_stop())
    engine_.shutdown("SYS/TEMP", "the server is stopping, try again soon");
  else
    co_return false; // RFC 1939 3: an idle client is let go without a word and without deleting anything
  co_return true;
}

task<void> pop3_session::open_maildrop(result<auth::identity> who) {
  if (!who) {
    engine_.login_refused(failure_for(who.error().code));
    co_return;
  }
  owner_ = std::move(*who);
  auto locked = co_await lock_maildrop();
  if (!locked) {
    engine_.login_refused(failure_for(locked.error().code));
    co_return;
  }
  auto listing = list_maildrop();
  if (listing)
    engine_.login_accepted(std::move(*listing));
  else
    engine_.login_refused(failure_for(listing.error().code));
}

/// RFC 1939 4; the lock ends with this session.
task<result<void>> pop3_session::lock_maildrop() {
  mail::lock_maildrop request;
  request.account = owner_.account;
  request.session = io_.self();
  auto reply = co_await io_.ask<mail::lock_reply>(services_->mailboxes(), std::move(request));
  if (!reply)
    co_return tl::make_unexpected(reply.error());
  if (!reply->granted)
    co_return fail(errc::in_use, "another POP3 session holds the maildrop");
  co_return result<void>();
}

result<std::vector<pop3::maildrop_entry>> pop3_session::list_maildrop() {
  auto view = services_->store->read(owner_.shard);
  if (!view)
    return tl::make_unexpected(view.error());
  std::vector<pop3::maildrop_entry> listing;
  auto inbox = view->mailbox(owner_.account, "INBOX");
  if (!inbox)
    return listing; // nothing has arrived yet
  inbox_ = inbox->id;
  view->messages(inbox_, uid{1}, uid{UINT32_MAX}, [&](const storage::message_row& row) {
    messages_.push_back({row.id, row.body});
    listing.push_back({row.size_bytes, std::to_string(inbox->uid_validity) + "." + std::to_string(row.id.value)});
    return listing.size() < services_->limits.pop3.messages;
  });
  return listing;
}

/// False: the message broke off half-way, only closing is left.
task<bool> pop3_session::send_message(pop3::retrieve wanted) {
  auto body = body_stream::open(*services_->store, owner_.shard, messages_[wanted.index].body);
  if (!body) {
    engine_.retrieve_refused(failure_for(body.error().code));
    co_return true;
  }
  engine_.retrieve_accepted();
  std::uint64_t offset = 0;
  bool more = true;
  while (more && offset < body->size_bytes()) {
    auto piece = co_await body->read(io_, offset, body_stream::piece_bytes);
    if (!piece || piece->empty()) {
      log::error("pop3: message {} of {} can't be read to its end: {}", messages_[wanted.index].id.value, owner_.name,
                 piece ? "it is shorter than its record says" : piece.error().what);
      engine_.body_failed();
      co_return true;
    }
    offset += piece->size();
    more = engine_.body(*piece);
    auto sent = co_await send_output();
    if (!sent)
      co_return false;
  }
  engine_.body_end();
  co_return true;
}

task<void> pop3_session::remove_messages(std::vector<std::size_t> deleted) {
  store::commit request;
  auto& removal = request.change.emplace<storage::expunge>();
  removal.mailbox = inbox_;
  removal.only_deleted = false;
  for (auto index : deleted)
    removal.uids.push_back(messages_[index].id);
  auto reply = co_await io_.ask<store::commit_reply>(services_->store->writer(owner_.shard), std::move(request));
  if (reply && reply->done)
    engine_.committed();
  else
    engine_.commit_failed(failure_for(reply ? reply->done.error().code : reply.error().code));
}

} // namespace

runtime::task<void> run_pop3_session(runtime::session_io& io, services_ptr services, door_ptr entrance) {
  pop3_session session(io, std::move(services), std::move(entrance));
  co_await run_guarded(io, session, "-ERR [SYS/PERM] the server failed, connect again\r\n");
}

} // namespace merpati::session
