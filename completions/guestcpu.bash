# SPDX-License-Identifier: MIT
# bash completion for guestcpu; needs nothing but bash.

_guestcpu_commands='probe features plan explain verify conform trace sim'

_guestcpu_options()
{
	local machine='--arch --cpu -c --disable-exits --gic --handles --host --ipa-bits --irqchip --json -j
		--kvm --kvm-leaf --no-trial --smp --vcpus --x2apic-ids --help -h'

	case $1 in
	probe) echo "--arch --from-cpuid --host --json -j --kernel --kvm --name --no-trial --output -o --help -h" ;;
	features) echo "$machine --all -a --hosts --kind --missing --on --presets" ;;
	plan) echo "$machine --all -a --format -f --output -o" ;;
	explain) echo "$machine --trace" ;;
	conform) echo "--all -a --json -j --kvm --on --only --tap --help -h" ;;
	verify) echo "$machine --alive --all -a --output -o --timeout" ;;
	trace) echo "--all -a --json -j --output -o --help -h" ;;
	sim) echo "--all -a --host --json -j --kernel --kvm --no-trial --output -o --help -h" ;;
	*) echo "--help -h --version" ;;
	esac
}

# Value of option $1 where it stands on the line.
_guestcpu_said()
{
	local said= i

	for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
		if [[ ${COMP_WORDS[i]} == "$1" ]]; then
			said=${COMP_WORDS[i + 1]}
			[[ $said == = ]] && said=${COMP_WORDS[i + 2]-}
		fi
	done
	echo "$said"
}

# Names of the catalogue, of the architecture that stands on the line if any.
_guestcpu_names()
{
	local arch

	arch=$(_guestcpu_said --arch)
	"${COMP_WORDS[0]}" features ${arch:+--arch "$arch"} 2>/dev/null | sed -n '2,$s/ .*//p'
}

# Models, of the architecture or the host that stands on the line if any.
_guestcpu_models()
{
	local arch host

	arch=$(_guestcpu_said --arch)
	host=$(_guestcpu_said --host)
	"${COMP_WORDS[0]}" features -c help ${arch:+--arch "$arch"} ${host:+--host "$host"} 2>/dev/null |
		sed 's/ .*//'
}

# Words for the last item of a list: what stands before it is kept.
_guestcpu_list()
{
	local cur=$1 words=$2 before= sign=

	if [[ $cur == *,* ]]; then
		before=${cur%,*},
		cur=${cur##*,}
		if [[ $3 == signed && $cur == [+-]* ]]; then
			sign=${cur:0:1}
			cur=${cur:1}
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -P "$before$sign" -W "$words" -- "$cur")
}

# Values of option $1; fails if it takes none.
_guestcpu_value()
{
	local cur=$2

	case $1 in
	--arch) mapfile -t COMPREPLY < <(compgen -W 'x86 arm64' -- "$cur") ;;
	--cpu | -c)
		if [[ $cur == *,* ]]; then
			_guestcpu_list "$cur" "$(_guestcpu_names)" signed
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_guestcpu_models)" -- "$cur")
		fi
		;;
	--disable-exits) _guestcpu_list "$cur" 'mwait hlt pause cstate aperfmperf' ;;
	--format | -f) mapfile -t COMPREPLY < <(compgen -W 'text json cpuid-raw' -- "$cur") ;;
	--gic) mapfile -t COMPREPLY < <(compgen -W 'v3 v2 none' -- "$cur") ;;
	--handles) _guestcpu_list "$cur" 'msi-ext-dest-id map-gpa-range migration-control' ;;
	--host)
		mapfile -t COMPREPLY < <(
			compgen -W "kvm $("${COMP_WORDS[0]}" features --hosts 2>/dev/null)" -- "$cur"
			compgen -f -- "$cur"
		)
		;;
	--irqchip) mapfile -t COMPREPLY < <(compgen -W 'kernel split user none' -- "$cur") ;;
	--kind) mapfile -t COMPREPLY < <(compgen -W 'hw emulated synth pass vendor alias pv vmm runtime none' -- "$cur") ;;
	# "=" parts words: what stands before it is the request so far
	*,pv) mapfile -t COMPREPLY < <(compgen -W 'none safe migratable latency all' -- "$cur") ;;
	--kernel) mapfile -t COMPREPLY < <(compgen -W '6.1 6.12 6.18 7.2' -- "$cur") ;;
	--on)
		[[ ${COMP_WORDS[1]} == conform ]] || return 1
		mapfile -t COMPREPLY < <(compgen -W 'kvm model:' -- "$cur")
		;;
	--from-cpuid | --kvm | --output | -o | --trace) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--ipa-bits | --kvm-leaf | --name | --only | --smp | --timeout | --vcpus) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

_guestcpu()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]-} i

	COMPREPLY=()
	# "--host=x" comes as three words
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = && $COMP_CWORD -ge 3 ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ $COMP_CWORD -eq 1 ]]; then
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_guestcpu_options '')" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$_guestcpu_commands" -- "$cur")
		fi
		return
	fi
	# what stands behind "--" is another program's
	if [[ $command == trace || $command == sim ]]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			if [[ ${COMP_WORDS[i]} == -- ]]; then
				mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
				return
			fi
		done
	fi
	_guestcpu_value "$prev" "$cur" && return
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_guestcpu_options "$command")" -- "$cur")
	elif [[ $command == features || $command == explain ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_guestcpu_names)" -- "$cur")
	fi
}

complete -o bashdefault -F _guestcpu guestcpu
