#!/bin/sh
echo pre
exit 0
%end
%include /etc/passwd
