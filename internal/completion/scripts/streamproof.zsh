#compdef streamproof
# Completion of streamproof in zsh: eval "$(streamproof completion zsh)"

_streamproof() {
	local line word text
	local -a all texts open opentexts
	for line in "${(@f)$("${(Q)words[1]}" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
		word=${line%%$'\t'*} text=${line/$'\t'/  }
		case $word in
		:files) _files ;;
		:directories) _files -/ ;;
		*=) open+=("$word") opentexts+=("$text") ;;
		?*) all+=("$word") texts+=("$text") ;;
		esac
	done
	(($#all)) && compadd -l -d texts -a all
	(($#open)) && compadd -S '' -l -d opentexts -a open
	return 0
}

(($+functions[compdef])) || { autoload -Uz compinit && compinit; }
compdef _streamproof streamproof
