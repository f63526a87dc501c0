# Completion of streamproof in fish: streamproof completion fish | source

function __streamproof_complete
	set -l words (commandline -opc)
	set -l last (commandline -ct)
	for line in ($words[1] complete -- $words[2..-1] $last 2>/dev/null)
		switch $line
			case ':files*'
				__fish_complete_path $last
			case ':directories*'
				__fish_complete_directories $last
			case '*'
				echo $line
		end
	end
end

complete --command streamproof --no-files --arguments '(__streamproof_complete)'
