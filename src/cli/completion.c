/* completion.c - shell completion, made from the option tables.
 *
 * bash and zsh share two shell functions: one prints the options of a command, the other the words
 * that an option or operand may be. If it prints none, file names are completed. For fish there are
 * separate declarations.
 */
#include <string.h>

#include "kinds.h"
#include "manual.h"

static const struct cli_kind *kind_of(const struct few_option *o) {
  const struct cli_kind *k;
  for (int i = 0; o->value && (k = cli_kind(i)); i++)
    if (k->value && !strcmp(k->value, o->value)) return k;
  return NULL;
}

/* Prints the words that the option's value may be, with blanks between. False if they are not
 * known. */
static bool put_values(FILE *out, const struct few_option *o) {
  const struct cli_kind *k = kind_of(o);
  struct few_component c;
  if (!o->choices && !k) return false;
  for (const char *s = o->choices; s && *s; s++) fputc(*s == '|' ? ' ' : *s, out);
  for (int i = 0; !o->choices && cli_component(&c, k, i); i++)
    fprintf(out, "%s%s", i ? " " : "", c.name);
  return true;
}

static bool has_values(const struct few_option *o) { return o->choices || kind_of(o); }

static void put_commands(FILE *out) {
  const struct command *c;
  for (int i = 0; (c = cli_command(i)); i++) fprintf(out, "%s%s", i ? " " : "", c->name);
}

static void put_kinds(FILE *out) {
  const struct cli_kind *k;
  for (int i = 0; (k = cli_kind(i)); i++) fprintf(out, "%s%s", i ? " " : "", k->name);
}

static const char recipes[] = "few list recipes 2>/dev/null | sed -n 's/^  \\([^ ]*\\)  .*/\\1/p'";

static bool takes_recipe(const struct command *c) { return !strncmp(c->operands, "RECIPE", 6); }

/* Writes _few_options COMMAND and _few_values COMMAND PREVIOUS INDEX, which print words, one or
 * more in a line. */
static void put_functions(FILE *out) {
  struct cli_options all;
  const struct command *c;
  fputs("_few_options() {\n  case $1 in\n", out);
  for (int i = 0; (c = cli_command(i)); i++) {
    fprintf(out, "    %s", c->name);
    if (c->alias) fprintf(out, "|%s", c->alias);
    fputs(") echo", out);
    for (const struct few_option *o = cli_options(&all, c); o->key; o++) {
      char key[64];
      opt_key(key, o);
      fprintf(out, " --%s", key);
    }
    fputs(" ;;\n", out);
  }
  fputs("  esac\n}\n_few_values() {\n  case \"$1 $2\" in\n", out);
  for (int i = 0; (c = cli_command(i)); i++)
    for (const struct few_option *o = cli_options(&all, c); o->key; o++) {
      char key[64];
      if (!has_values(o)) continue;
      opt_key(key, o);
      fprintf(out, "    '%s --%s'", c->name, key);
      if (c->alias) fprintf(out, "|'%s --%s'", c->alias, key);
      fputs(") echo ", out);
      put_values(out, o);
      fputs("; return ;;\n", out);
    }
  fputs("  esac\n  case \"$1 $3\" in\n", out);
  for (int i = 0; (c = cli_command(i)); i++)
    if (takes_recipe(c)) fprintf(out, "    '%s 2') %s ;;\n", c->name, recipes);
  fputs("    'help 2') echo ", out);
  put_commands(out);
  fputs(" ;;\n    'list 2') echo ", out);
  put_kinds(out);
  fputs(" ;;\n    'backend 2') echo list ;;\n  esac\n}\n", out);
}

static void put_bash(FILE *out) {
  put_functions(out);
  fputs(
      "_few() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n    words='",
      out);
  put_commands(out);
  fputs(
      "'\n  elif [[ $cur == -* ]]; then\n    words=$(_few_options \"${COMP_WORDS[1]}\")\n"
      "  else\n    words=$(_few_values \"${COMP_WORDS[1]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\" "
      "\"$COMP_CWORD\")\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
      "complete -o default -F _few few\n",
      out);
}

static void put_zsh(FILE *out) {
  const struct command *c;
  fputs("#compdef few\n", out);
  put_functions(out);
  fputs("_few() {\n  local found\n  if (( CURRENT == 2 )); then\n    found='", out);
  put_commands(out);
  fputs(
      "'\n  elif [[ ${words[CURRENT]} == -* ]]; then\n    found=$(_few_options ${words[2]})\n"
      "  else\n    found=$(_few_values ${words[2]} \"${words[CURRENT-1]}\" $(( CURRENT - 1 )))\n"
      "  fi\n"
      "  [[ -n $found ]] && compadd -- ${=found}\n"
      "  case \"$found/${words[2]} $CURRENT\" in\n    /*",
      out);
  for (int i = 0; (c = cli_command(i)); i++)
    if (takes_recipe(c)) fprintf(out, "|*'/%s 3'", c->name);
  fputs(
      ") _files ;;\n  esac\n}\n"
      "if [[ ${funcstack[1]} == _few ]]; then _few \"$@\"; else compdef _few few; fi\n",
      out);
}

/* Prints the text between single quotes. */
static void put_quoted(FILE *out, const char *text) {
  fputc('\'', out);
  for (; *text; text++) fprintf(out, strchr("'\\", *text) ? "\\%c" : "%c", *text);
  fputc('\'', out);
}

static void put_fish_if(FILE *out, const struct command *c) {
  fprintf(out, "complete -c few -n '__fish_seen_subcommand_from %s%s%s'", c->name,
          c->alias ? " " : "", c->alias ? c->alias : "");
}

static void put_fish(FILE *out) {
  struct cli_options all;
  const struct command *c;
  for (int i = 0; (c = cli_command(i)); i++) {
    fprintf(out, "complete -c few -n __fish_use_subcommand -f -a %s -d ", c->name);
    put_quoted(out, c->help);
    fputc('\n', out);
  }
  for (int i = 0; (c = cli_command(i)); i++) {
    for (const struct few_option *o = cli_options(&all, c); o->key; o++) {
      char key[64];
      opt_key(key, o);
      put_fish_if(out, c);
      fprintf(out, " -l %s%s", key, o->type == FEW_OPTION_BOOL ? "" : " -r");
      if (has_values(o)) fputs(" -f -a '", out);
      if (put_values(out, o)) fputc('\'', out);
      fputs(" -d ", out);
      put_quoted(out, o->help);
      fputc('\n', out);
    }
    if (takes_recipe(c)) {
      put_fish_if(out, c);
      fprintf(out, " -a \"(%s)\"\n", recipes);
    } else if (!*c->operands) {
      put_fish_if(out, c);
      fputs(" -f\n", out);
    }
  }
  fputs("complete -c few -n '__fish_seen_subcommand_from backend' -f -a list\n", out);
  fputs("complete -c few -n '__fish_seen_subcommand_from help' -f -a '", out);
  put_commands(out);
  fputs("'\ncomplete -c few -n '__fish_seen_subcommand_from list' -f -a '", out);
  put_kinds(out);
  fputs("'\n", out);
}

void cli_completion(FILE *out, enum cli_shell shell) {
  static void (*const writers[])(FILE *) = {
      [CLI_BASH] = put_bash, [CLI_ZSH] = put_zsh, [CLI_FISH] = put_fish};
  writers[shell](out);
}
