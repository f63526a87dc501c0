# Completion of streamproof in bash: eval "$(streamproof completion bash)"

_streamproof() {
	# Bash breaks words at = and :, which the program does not: its words are those with blanks between them.
	local words=() rest=$COMP_LINE piece i
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		if ((i == 0)) || [[ $rest == [[:space:]]* || -z $rest ]]; then
			rest=${rest#"${rest%%[![:space:]]*}"}
			words+=("$piece")
		else
			words[${#words[@]} - 1]+=$piece
		fi
		rest=${rest#"$piece"}
	done

	# What bash does not replace, because it is before the last break.
	local last=${words[${#words[@]} - 1]} kept=
	case $piece in
	= | :) kept=$last ;;
	*) kept=${last%"$piece"} ;;
	esac

	words=("${words[@]//[\"\'\\]/}") # unquoted

	local word help
	COMPREPLY=()
	while IFS=$'\t' read -r word help; do
		case $word in
		:files) compopt -o default ;;
		:directories) compopt -o dirnames ;;
		*=) compopt -o nospace && COMPREPLY+=("${word#"$kept"}") ;;
		*) COMPREPLY+=("${word#"$kept"}") ;;
		esac
	done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
}

complete -F _streamproof streamproof
