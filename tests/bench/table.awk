# SPDX-License-Identifier: MIT
#
# table.awk TARGETS COMMITTED FIGURES - tables of FIGURES, in UNIT, and of the
# targets, for a terminal or (md=1) as Markdown. Exits 1 when ktlsd costs 5 % more
# than in COMMITTED, or something that is there is missing.

function row(a, b, c, d, e)
{
	if (md)
		printf "| %s | %s | %s | %s | %s |\n", a, b, c, d, e
	else
		printf "%-36s %-11s %17s %14s %10s\n", a, b, c, d, e
}
function head(a, b, c, d, e)
{
	print ""
	row(a, b, c, d, e)
	if (md)
		print "|---|---|---:|---:|---:|"
}
# Asking for what is not there must not make it be there: END looks for that.
function of(what, server, metric,   key)
{
	key = what "," server "," metric
	return key in now ? now[key] : ""
}
function number(value)
{
	return value == "" ? "" : sprintf(value < 100 ? "%.2f" : "%.1f", value)
}
# line WHAT SERVER VALUE BESIDE KTLSD - of a server
function line(what, server, is, beside, us)
{
	row(what, server, number(is), number(beside),
		us >= 1 && is != "" ? sprintf("%.2f", is / us) : "")
}
# Of each bench two metrics, by which ktlsd is compared, and shown beside it.
function bench(name, metric, beside, title, title_beside)
{
	main[name] = metric
	second[name] = beside
	heads[name] = title
	heads_second[name] = title_beside
}

BEGIN {
	FS = "[ ,\t]+"
	bench("handshake", "cpu", "user", unit, "in user space")
	bench("bulk", "cpu", "user", unit, "in user space")
	bench("latency", "p50", "shaken", unit, "client done")
	bench("idle", "user", "kernel", "KiB in user space", "in the kernel")
}
FNR == 1 { file++ }
/^#/ { next }
file == 1 { target[++targets] = $1 "," $2 " " $3 " " $4 " " $5; next }
{ key = $1 "," $2 "," $3 "," $4 }
file == 2 { was[key] = $5; next }
{
	now[key] = $5
	measured[$1]
	if (!(($1, $2, $3) in seen)) {
		seen[$1, $2, $3]
		order[++rows] = $1 "," $2
		who[rows] = $3
	}
}

# Against a server, or for itself.
function judge(t,   us, them, is, met)
{
	us = of(t[1], "ktlsd", t[2])
	them = t[3] == "-" ? 1 : of(t[1], t[3], t[2])
	if (us == "" || !them) {
		row(t[1] " " t[2], t[3], t[4], "not measured", "")
		return
	}
	is = us / them
	met = is <= t[4] + 0
	row(t[1] " " t[2], t[3], t[4], sprintf("%.2f", is),
		met ? "met" : md ? "**missed**" : "MISSED")
}

END {
	for (i = 1; i <= rows; i++) {
		what = order[i]
		name = what
		sub(/,.*/, "", name)
		if (name != before)
			head("case", "server", heads[name], heads_second[name],
				"x ktlsd")
		before = name
		us = of(what, "ktlsd", main[name])
		line(what, who[i], of(what, who[i], main[name]),
			of(what, who[i], second[name]), us)
		if (who[i] == "ktlsd" && of(what, "ktlsd", "front") != "")
			line(what, "ktlsd alone", of(what, "ktlsd", "front"),
				of(what, "ktlsd", "front-user"), us)
	}
	head("ktlsd in", "against", "at most", "is", "")
	for (i = 1; i <= targets; i++) {
		split(target[i], t, " ")
		name = t[1]
		sub(/,.*/, "", name)
		if (name in measured)
			judge(t)
	}
	for (key in was) {
		split(key, k, ",")
		if (k[3] != "ktlsd" || k[4] != main[k[1]])
			continue
		if (!(key in now))
			worse = worse "\n  " key " is missing"
		else if (now[key] > was[key] * 1.05 && now[key] > 0.05)
			worse = worse sprintf("\n  %s: %.1f, was %.1f", key,
				now[key], was[key])
	}
	if (worse != "") {
		print "\nbench: ktlsd costs more than it did:" worse
		exit 1
	}
	if (!md)
		print "\nbench: nothing of ktlsd costs 5 % more than it did"
}
