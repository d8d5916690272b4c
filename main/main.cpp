// The command line: which words there are and what they mean.
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <CLI/CLI.hpp>

#include "main/commands.hpp"
#include "main/report.hpp"
#include "main/version.hpp"

namespace {

using namespace merpati;

/// Builds the grammar and remembers which command was meant.
class command_line {
public:
  command_line() {
    app_.set_version_flag("--version", std::string("merpati ") + program_version);
    app_.add_option("--config", config_, "The configuration file (TOML)")
        ->envname("MERPATI_CONFIG")
        ->capture_default_str()
        ->type_name("FILE");
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer("Begin with: merpati check-config, merpati domain add example.org, merpati user add you@example.org,\n"
                "merpati serve. Changes of domains and users go through the daemon while it runs.\n"
                "Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage, 3 the daemon broke.");
    add_daemon();
    add_domain();
    add_user();
    add_alias();
    add_list();
    add_explain();
    add_queue();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      return app_.exit(e) == 0 ? exit_done : exit_usage;
    }
    return action_();
  }

private:
  CLI::App* command(CLI::App& parent, const char* name, const char* text, std::function<int()> action) {
    auto* made = parent.add_subcommand(name, text);
    made->fallthrough();
    made->callback([this, action = std::move(action)] { action_ = action; });
    return made;
  }

  /// A word that has further words below it.
  CLI::App* group(const char* name, const char* text) {
    auto* made = app_.add_subcommand(name, text);
    made->require_subcommand(1);
    made->fallthrough();
    return made;
  }

  void add_daemon() {
    command(app_, "serve",
            "Run the mail server in the foreground until SIGTERM or SIGINT; SIGHUP reads certificates anew",
            [this] { return serve(config_); });
    command(app_, "check-config", "Say everything that is wrong in the configuration, or what it means",
            [this] { return check_config(config_); });
    command(app_, "reload", "Make the running daemon read its certificates anew", [this] { return reload(config_); });
    auto* check = command(app_, "fsck", "Verify the whole store (the daemon must be stopped)", [this] {
      return fsck(config_, salvage_  ? storage::fsck_mode::salvage
                           : repair_ ? storage::fsck_mode::repair
                                     : storage::fsck_mode::verify);
    });
    auto* repair = check->add_flag("--repair", repair_, "Recompute what can be derived, set aside what can't be read");
    check->add_flag("--salvage", salvage_, "Build the store anew from every record that can still be read")
        ->excludes(repair);
  }

  void add_domain() {
    auto* domain = group("domain", "The domains that mail is received for");
    auto* add = command(*domain, "add", "Receive mail for a domain", [this] { return domain_add(config_, name_); });
    add->add_option("NAME", name_, "such as example.org")->required();
    auto* remove = command(*domain, "remove", "Receive no more mail for a domain; it must have no users",
                           [this] { return domain_remove(config_, name_); });
    remove->add_option("NAME", name_, "such as example.org")->required();
    auto* alias = command(*domain, "alias", "Make every address of a domain that of the same name in another domain",
                          [this] { return domain_alias(config_, name_, target_); });
    alias->add_option("NAME", name_, "such as example.com; made if it is not there")->required();
    alias->add_option("OF", target_, "such as example.org; leave it out to make NAME a domain of its own again");
    command(*domain, "list", "One domain a line", [this] { return domain_list(config_); });
  }

  void add_address(CLI::App* to) { to->add_option("ADDRESS", name_, "such as alice@example.org")->required(); }
  void add_password(CLI::App* to) {
    to->add_option(
          "--password-file", password_.file,
          "The password is the first line of FILE, or of standard input for -; without this option one is made and "
          "printed once")
        ->type_name("FILE");
  }

  void add_user() {
    auto* user = group("user", "The people who have mailboxes");
    auto* add = command(*user, "add", "Make an account with INBOX, Drafts, Sent, Junk, Trash and Archive",
                        [this] { return user_add(config_, name_, password_, quota_mb_); });
    add_address(add);
    add_password(add);
    // Beyond 8 EB octets would not fit a 64-bit number.
    add->add_option("--quota-mb", quota_mb_, "The most mail the account may hold; 0: no limit")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 43))
        ->type_name("N");
    add_address(command(*user, "remove", "Remove an account with all its mail",
                        [this] { return user_remove(config_, name_); }));
    add_address(
        command(*user, "enable", "Let the user log in again", [this] { return user_enable(config_, name_, true); }));
    add_address(command(*user, "disable", "Let the user log in no more; mail stays",
                        [this] { return user_enable(config_, name_, false); }));
    auto* password =
        command(*user, "password", "Set a new password", [this] { return user_password(config_, name_, password_); });
    add_address(password);
    add_password(password);
    auto* quota = command(*user, "quota", "Set the most mail the account may hold",
                          [this] { return user_quota(config_, name_, quota_mb_); });
    add_address(quota);
    quota->add_option("N", quota_mb_, "in MB; 0: no limit")
        ->required()
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 43));
    auto* forward = command(*user, "forward", "Pass mail for an account on to other addresses",
                            [this] { return user_forward(config_, name_, words_, !without_copy_); });
    add_address(forward);
    forward->add_option("TO", words_, "where to; leave it out to forward no more");
    forward->add_flag("--no-copy", without_copy_, "Keep nothing in the account's own mailbox");
    command(*user, "list", "One account a line: address, state, messages, octets, quota",
            [this] { return user_list(config_); });
  }

  void add_alias() {
    auto* alias = group("alias", "Addresses that lead to other addresses, here or elsewhere");
    auto* set = command(*alias, "set", "Make an alias, or let it lead elsewhere",
                        [this] { return alias_set(config_, name_, words_); });
    set->add_option("ADDRESS", name_, "such as info@example.org; @example.org is all that nobody else takes there")
        ->required();
    set->add_option("TO", words_, "where it leads")->required();
    add_address(command(*alias, "remove", "Remove an alias", [this] { return address_remove(config_, name_); }));
    command(*alias, "list", "One alias or forward a line", [this] { return alias_list(config_); });
  }

  void add_list_settings(CLI::App* to) {
    to->add_option("--title", list_.title, "The name that mail programs show");
    to->add_option("--posting", list_.posting, "Who may send to it: anyone, members or owners");
    to->add_option("--owner", list_.owners, "Who gets its bounces and may always post; several times for several");
  }

  void add_list() {
    auto* list = group("list", "Distribution lists: one address, many readers");
    auto* create = command(*list, "create", "Make a list", [this] { return list_create(config_, name_, list_); });
    add_address(create);
    add_list_settings(create);
    auto* change = command(*list, "change", "Change what is said; the rest stays",
                           [this] { return list_change_settings(config_, name_, list_); });
    add_address(change);
    add_list_settings(change);
    for (const bool adding : {true, false}) {
      auto* made = command(*list, adding ? "add" : "drop", adding ? "Add members" : "Remove members",
                           [this, adding] { return list_members(config_, name_, words_, file_, adding); });
      add_address(made);
      made->add_option("MEMBER", words_, "addresses, here or elsewhere, or of other lists here");
      made->add_option("--file", file_, "One address a line; - is standard input")->type_name("FILE");
    }
    add_address(command(*list, "remove", "Remove a list", [this] { return address_remove(config_, name_); }));
    add_address(command(*list, "show", "Its settings and members", [this] { return list_show(config_, name_); }));
    command(*list, "list", "One list a line: address, members, who may post, title",
            [this] { return list_all(config_); });
  }

  void add_explain() {
    auto* made = command(app_, "explain", "Show each step that mail for an address takes, without sending any",
                         [this] { return explain(config_, explain_); });
    made->add_option("RECIPIENT", explain_.recipient, "such as alice@example.org")->required();
    made->add_option("--from", explain_.sender, "The envelope sender; without it the null sender of reports")
        ->type_name("ADDRESS");
    made->add_option("--user", explain_.account, "Who is logged in; without it nobody is")->type_name("ADDRESS");
    made->add_option("--ip", explain_.client_address, "Where the client connects from")->type_name("ADDRESS");
  }

  /// Which recipients of the waiting list are meant.
  void add_filter(CLI::App* to) {
    to->add_option("WHAT", queue_what_, "A message's or recipient's ID as `queue list` shows them, or an address");
    to->add_option("--to", queue_.recipient, "Recipient")->type_name("ADDRESS");
    to->add_option("--from", queue_.sender, "Envelope sender; <> for reports")->type_name("ADDRESS");
    to->add_option("--domain", queue_.destination, "Of the recipient")->type_name("NAME");
    to->add_option("--said", queue_.outcome, "A part of what was said last")->type_name("TEXT");
    to->add_option("--older-than", queue_hours_, "Waits for longer than so many hours")
        ->check(CLI::Range(0u, 87'600u)) // ten years
        ->type_name("HOURS");
  }

  mail::queue_filter filter() const {
    auto out = queue_;
    if (!queue_what_.empty())
      (queue_what_.find('@') != std::string::npos ? out.recipient : out.message) = queue_what_;
    if (queue_hours_)
      out.older_than = clock_source::system().now() - std::chrono::hours(*queue_hours_);
    return out;
  }

  void add_queue() {
    auto* queue = group("queue", "The waiting list: mail for other servers, mail that is held, and why it waits");
    auto* list = command(*queue, "list", "One recipient a line, the next that is due first; with filters or all",
                         [this] { return queue_list(config_, filter(), all_rows_); });
    add_filter(list);
    list->add_flag("--all-rows", all_rows_, "Up to 10,000 lines instead of 200");
    command(*queue, "why", "Say in sentences what waits and why", [this] { return queue_why(config_, queue_what_); })
        ->add_option("WHAT", queue_what_, "A message's or recipient's ID, or an address")
        ->required();
    const std::tuple<const char*, const char*, mail::queue_action> changes[] = {
        {"retry", "Try now", mail::queue_action::retry},
        {"hold", "Try no more until it is released", mail::queue_action::hold},
        {"release", "End a hold and try now", mail::queue_action::release},
        {"delete", "Remove; nobody is told", mail::queue_action::remove},
        {"bounce", "Return to the sender with a report", mail::queue_action::bounce}};
    for (const auto& [word, text, action] : changes) {
      auto* made = command(*queue, word, text, [this, what = action] { return queue_change(config_, what, filter()); });
      add_filter(made);
      made->add_flag("--all", queue_.everything, "Everything that waits");
    }
  }

  CLI::App app_{"Merpati, a mail server: SMTP, IMAP and POP3 in one daemon", "merpati"};
  std::string config_ = "/etc/merpati/merpati.toml";
  std::string name_;
  password_source password_;
  std::string target_;
  mail::queue_filter queue_;
  std::string queue_what_;
  std::optional<std::uint32_t> queue_hours_;
  bool all_rows_ = false;
  std::string file_;
  std::vector<std::string> words_;
  list_change list_;
  explain_options explain_;
  bool without_copy_ = false;
  std::uint64_t quota_mb_ = 0;
  bool repair_ = false;
  bool salvage_ = false;
  std::function<int()> action_;
};

} // namespace

int main(int argc, char** argv) {
  try {
    return command_line().run(argc, argv);
  } catch (const std::exception& e) {
    return complain(e.what());
  }
}
