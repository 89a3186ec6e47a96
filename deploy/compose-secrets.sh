#!/bin/sh
# Which passwords does docker-compose.yml need? Makes them, once, in the folder secrets/, which git ignores.
#
#   sh deploy/compose-secrets.sh [FOLDER]
#
# A file of Compose's secrets comes into the container as it is here, and there it is read by another user than the one
# who made it: so the files are readable by all, and the folder around them by its owner alone. What exists is kept.
set -eu
here=$(dirname -- "$0")
folder=${1:-$here/../secrets}
mkdir -p "$folder"
chmod 700 "$folder"
PASSWORDS=$folder sh "$here/redis/write-users.sh" > "$folder/users.acl.new"
chmod 444 "$folder/users.acl.new" "$folder/flow" "$folder/reader" "$folder/service"
mv -f "$folder/users.acl.new" "$folder/users.acl"
