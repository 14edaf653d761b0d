#!/bin/sh
echo sorry
