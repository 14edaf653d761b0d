#!/bin/sh
echo first
exit 0
%end
%include /etc/passwd
