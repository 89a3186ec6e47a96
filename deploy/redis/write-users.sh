#!/bin/sh
# Writes the access list of Redis from users.acl and from passwords in files: what do beckon's three users have to say?
#
#   APP=beckon PASSWORDS=/run/secrets sh write-users.sh > users.acl      then: redis-server --aclfile users.acl
#
# PASSWORDS is a folder with the files flow, reader and service, a password each. A missing one is made up and written
# there, readable by its owner alone (PASSWORD_OWNER, where that is to be somebody else). Redis gets hashes.
set -eu
umask 077
here=$(dirname -- "$0")
app=${APP:-beckon}
list=$(sed "s/{APP/{$app/g" "$here/users.acl")
for user in flow reader service; do
    file=$PASSWORDS/$user
    if [ ! -e "$file" ]; then
        head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$file.new"
        chmod 400 "$file.new"
        if [ -n "${PASSWORD_OWNER:-}" ]; then chown "$PASSWORD_OWNER" "$file.new"; fi
        mv "$file.new" "$file"
    fi
    hash=$(tr -d '\r\n' < "$file" | sha256sum | cut -d ' ' -f 1)
    name=$(printf %s "$user" | tr '[:lower:]' '[:upper:]')
    list=$(printf '%s\n' "$list" | sed "s/#${name}_SHA256/#$hash/")
done
printf '%s\n' "$list"
