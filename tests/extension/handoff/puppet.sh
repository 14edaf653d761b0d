#!/bin/sh
# Written by ironstrap.
@JUDGE@
status=0
puppet agent --onetime --no-daemonize --detailed-exitcodes --server @SERVER@ --certname @HOST@ || status=$?
judge "$status" ran
echo "ironstrap: $verdict: $why"
[ "$verdict" = converged ]
