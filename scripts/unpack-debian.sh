# Unpacks packages of any release of Debian beside the system, with settings of APT's own, so that nothing of the system
# changes. For the scripts that install programs: `source` it.
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

unpack_debian() { # a release of Debian, the folder to replace, packages
  local release=$1 target=$2 private="$temporary/$1"
  shift 2
  local apt=(
    apt-get -qq
    -o "Dir::Etc::SourceList=$private/sources.list" -o "Dir::Etc::SourceParts=$private/parts"
    -o "Dir::Etc::Preferences=$private/none" -o "Dir::Etc::PreferencesParts=$private/parts"
    -o "Dir::State::Lists=$private/lists" -o Dir::State::Status=/dev/null
    -o "Dir::Cache=$private" -o APT::Sandbox::User=root
  )
  if [[ ! -d "$private" ]]; then
    mkdir -p "$private"/{lists,archives}/partial "$private"/parts
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $release main" \
      >"$private/sources.list"
    "${apt[@]}" update
  fi
  local download
  download=$(mktemp -d -p "$private")
  (cd "$download" && "${apt[@]}" download "$@")
  rm -rf "$target"
  mkdir -p "$target"
  local package
  for package in "$download"/*.deb; do dpkg -x "$package" "$target"; done
}
