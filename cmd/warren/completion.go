package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completeWord is the first argument with which the completion scripts ask warren itself what may come next.
// It is no command: it has no help and is not offered.
const completeWord = "__complete"

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says where the knowledge is.
func (*completionCmd) Help() string {
	return `The script asks the installed warren for every completion, so it needs no update when warren gets one.`
}

// Examples ends "warren completion --help".
func (*completionCmd) Examples() string {
	return `
# this shell only
source <(warren completion bash)

# every shell to come
warren completion bash > /etc/bash_completion.d/warren
warren completion zsh > "${fpath[1]}/_warren"
warren completion fish > ~/.config/fish/completions/warren.fish
`
}

// Run prints the script.
func (c *completionCmd) Run(std stdio) error {
	_, err := io.WriteString(std.out, completionScripts[c.Shell])
	return err
}

// completionScripts each hand the words typed so far, the unfinished one last, to "warren __complete", which answers a
// line per candidate: the word, a tab, what it is. Where there is no candidate the shell offers file names.
var completionScripts = map[string]string{
	"bash": `_warren() {
    local word about
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _warren warren
`,
	"zsh": `#compdef warren
_warren() {
    local word about
    local -a found
    while IFS=$'\t' read -r word about; do
        found+=("${word//:/\\:}:$about")
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#found )); then
        _describe warren found
    else
        _files
    fi
}
if [[ $funcstack[1] == _warren ]]; then
    _warren "$@"
else
    compdef _warren warren
fi
`,
	"fish": `function __warren_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l found ($before[1] __complete $before[2..-1] "$word" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$word"
    end
end
complete -c warren -f -a '(__warren_complete)'
`,
}

// candidate is one word that may stand where the user is typing.
type candidate struct{ word, about string }

// candidates lists what the last of words, still unfinished, may become below root. It is empty where warren expects a
// value that only the user knows.
func candidates(root *kong.Node, words []string) []candidate {
	node, last := root, ""
	var value *kong.Flag // the flag whose value the next word is
	for i, word := range words {
		if i == len(words)-1 {
			last = word
			break
		}
		switch {
		case value != nil:
			value = nil
		case strings.HasPrefix(word, "-"):
			if f := findFlag(node, word); f != nil && !f.IsBool() {
				value = f
			}
		default:
			if child := findChild(node, word); child != nil {
				node = child
			}
		}
	}
	var all []candidate
	switch {
	case value != nil:
		all = enumCandidates(value.Value)
	case strings.HasPrefix(last, "-"):
		all = flagCandidates(node)
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				all = append(all, candidate{child.Name, child.Help})
			}
		}
		for _, arg := range node.Positional {
			all = append(all, enumCandidates(arg)...)
		}
	}
	fitting := all[:0]
	for _, c := range all {
		if strings.HasPrefix(c.word, last) {
			fitting = append(fitting, c)
		}
	}
	return fitting
}

func printCandidates(w io.Writer, all []candidate) {
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\n", c.word, c.about)
	}
}

func findChild(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// findFlag finds the flag that word names; "--flag=value" carries its value and needs no more words, so it finds none.
func findFlag(node *kong.Node, word string) *kong.Flag {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

func flagCandidates(node *kong.Node) []candidate {
	var all []candidate
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			all = append(all, candidate{"--" + f.Name, f.Help})
			if f.Tag.Negatable != "" {
				all = append(all, candidate{"--no-" + f.Name, "Not: " + f.Help})
			}
		}
	}
	return all
}

func enumCandidates(v *kong.Value) []candidate {
	var all []candidate
	if v.Enum != "" {
		for _, word := range v.EnumSlice() {
			all = append(all, candidate{word, ""})
		}
	}
	return all
}
