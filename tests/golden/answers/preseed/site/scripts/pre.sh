#!/bin/sh
# before a disk is touched
true
