#!/bin/sh
# Builds another version's program, for the tests of upgrades: build_other.sh older|wider SOURCES FOLDER [COMMIT]
#   older  the last release, from its COMMIT in git
#   wider  these sources with another layout of the maps (widen.py)
# FOLDER/KIND/vnet-bpf is the program; what is there already and as new as its sources stays.
set -eu
kind=$1 sources=$2 folder=$3/$1
mkdir -p "$folder/src"
case $kind in
older)
    git -C "$sources" archive "$4" | tar x -C "$folder/src"
    ;;
wider)
    rm -rf "$folder/new" && mkdir "$folder/new"
    (cd "$sources" && tar c CMakeLists.txt bpf cli cmake docs loader maps nss packaging) | tar x -C "$folder/new"
    python3 "$(dirname "$0")/widen.py" "$folder/new"
    # What has not changed keeps its time: only the rest is compiled again.
    (cd "$folder/new" && find . -type f) | while read -r file; do
        cmp -s "$folder/new/$file" "$folder/src/$file" && continue
        mkdir -p "$(dirname "$folder/src/$file")"
        cp "$folder/new/$file" "$folder/src/$file"
    done
    rm -rf "$folder/new"
    ;;
esac
cmake -S "$folder/src" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O0 \
    -DVNET_TESTS=OFF -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=10 >"$folder/cmake.log"
cmake --build "$folder/build" -j2 --target vnet-bpf
ln -sf build/vnet-bpf "$folder/vnet-bpf"
