// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

namespace vnet::cli {
namespace {

// An option, and what CLI11 found for it.
struct Field {
  Option option;
  CLI::Option* parsed = nullptr;
  bool flag = false;
  std::string word = {};
  Words words = {};
};
using Fields = std::deque<Field>;  // a deque: CLI11 keeps pointers to the elements

CLI::Option* add(CLI::App& app, Field& field) {
  const Option& option = field.option;
  if (option.is_flag()) return app.add_flag(option.name, field.flag, option.help);
  if (option.target.number) {
    CLI::Validator limits = CLI::PositiveNumber;
    if (option.target.max) limits = CLI::Range(std::uint64_t{1}, option.target.max);
    return app.add_option(option.name, *option.target.number, option.help)->check(limits.description(""));
  }
  if (!option.target.repeatable) return app.add_option(option.name, field.word, option.help);
  auto* parsed = app.add_option(option.name, field.words, option.help);
  return option.is_argument() ? parsed : parsed->allow_extra_args(false);  // one word per use
}

Fields add_all(CLI::App& app, std::vector<Option> options) {
  Fields fields;
  for (auto& option : options) {
    Field& field = fields.emplace_back(std::move(option));
    field.parsed = add(app, field);
    if (!field.option.is_flag()) field.parsed->type_name(field.option.value);
    if (field.option.is_required) field.parsed->required();
    if (field.option.value_may_be_missing)
      field.parsed->expected(0, 1)->type_name("[" + field.option.value + "]");
    // Without it, words after `--` would be refused.
    if (field.option.minimum > 1) field.parsed->expected(field.option.minimum, -1);
    if (!field.option.environment.empty()) field.parsed->envname(field.option.environment);
  }
  for (auto& field : fields)
    for (const auto& other : field.option.excludes) field.parsed->excludes(app.get_option(other));
  return fields;
}

Result<void> take(const std::string& verb, const Field& field) {
  const Option& option = field.option;
  if (!field.parsed->count() || option.target.number) return {};
  if (option.is_flag()) return field.flag ? option.target.take({}) : Result<void>{};
  Words words = option.target.repeatable ? field.words : Words{field.word};
  bool may_be_empty = option.is_required || option.value_may_be_missing || option.target.repeatable;
  if (!may_be_empty && words.back().empty()) return {};  // the same as not given
  if (!option.choices.empty())
    for (const auto& word : words)
      VNET_TRY(one_of(option.is_argument() ? verb : option.name, word, option.choices));
  return option.target.take(words);
}

Result<void> take_all(const std::string& verb, const Fields& fields) {
  for (const auto& field : fields) VNET_TRY(take(verb, field));
  return {};
}

class Parser {
 public:
  Parser() : app_("Virtual networks of a virtualization host as an eBPF datapath", "vnet-bpf") {
    app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    common_fields_ = add_all(app_, common_options(common_));
    app_.set_version_flag("--version", std::string("vnet-bpf " VNET_VERSION), "Print the version");
    app_.require_subcommand(1);
    app_.footer(
        "Example:\n  vnet-bpf up && vnet-bpf attach vnet0 --network default\n"
        "`vnet-bpf VERB --help` tells more about a verb.");
    for (const auto& command : commands()) add_verb(command);
  }

  Result<std::variant<Invocation, Notice>> parse(const std::vector<std::string>& arguments) {
    std::string word = first_word(arguments);
    auto named = [&](CLI::App* app) { return app->check_name(word); };
    if (!word.empty() && app_.get_subcommands(named).empty())
      return invalid("'" + word + "' is no verb; verbs: " + verb_names());
    try {
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::Success& success) {  // help, version
      std::ostringstream out, err;
      app_.exit(success, out, err);
      return Notice{out.str()};
    } catch (const CLI::ParseError& error) {
      if (word.empty()) return invalid("no verb; verbs: " + verb_names());
      std::string message = error.what();
      std::ranges::replace(message, '\n', ' ');
      return invalid(word + ": " + message + " (see vnet-bpf " + word + " --help)");
    }
    auto* chosen = app_.get_subcommands().front();
    return finish(*std::ranges::find(verbs_, chosen, &Verb::app));
  }

 private:
  struct Verb {
    const Command* command;
    CLI::App* app;
    Call call;
    Fields fields;
  };

  void add_verb(const Command& command) {
    auto* app = app_.add_subcommand(command.name, command.help);
    app->fallthrough();  // allows the common options after the verb
    app->footer("Example:\n  " + command.example);
    if (!command.alias.empty()) app->alias(command.alias);
    if (command.shown == Shown::No) app->group("");
    Call call = command.action();
    Fields fields = add_all(*app, call.options);
    verbs_.push_back({&command, app, std::move(call), std::move(fields)});
  }

  Result<std::variant<Invocation, Notice>> finish(Verb& verb) {
    common_.verb = verb.command->name;
    VNET_TRY(take_all(common_.verb, common_fields_));
    VNET_TRY(take_all(common_.verb, verb.fields));
    bool changes = verb.call.changes();
    if (common_.json && changes && !verb.call.reports)
      return invalid("--json: " + common_.verb + " prints no facts");
    if (common_.dry_run && !changes) return invalid("--dry-run: " + common_.verb + " changes nothing");
    VNET_TRY(verb.call.check(common_));
    return Invocation{verb.command, std::move(common_), std::move(verb.call)};
  }

  // The first word that is not a common option, or "".
  static std::string first_word(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i] == "--state-dir")
        ++i;
      else if (!arguments[i].starts_with("-"))
        return arguments[i];
    }
    return "";
  }

  static std::string verb_names() {
    Words names;
    for (const auto& command : commands())
      if (command.shown == Shown::Yes) names.push_back(command.name);
    return join(names, ", ");
  }

  CLI::App app_;
  Common common_;
  Fields common_fields_;
  std::deque<Verb> verbs_;
};

}  // namespace

Result<std::variant<Invocation, Notice>> parse_options(const std::vector<std::string>& arguments) {
  return Parser().parse(arguments);
}

}  // namespace vnet::cli
