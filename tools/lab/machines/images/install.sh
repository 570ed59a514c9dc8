# Installs $PACKAGES in an image: no documentation, no recommendations, no service started.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cat > /etc/dpkg/dpkg.cfg.d/no-documents <<'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
path-exclude=/usr/share/man/*
END
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# Small files, because each machine copies into memory what it writes to.
mkdir -p /etc/mysql/mariadb.conf.d
cat > /etc/mysql/mariadb.conf.d/80-small.cnf <<'END'
[mariadbd]
innodb_log_file_size = 8M
innodb_buffer_pool_size = 32M
END
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $PACKAGES
rm -f /etc/ssh/ssh_host_*
ln -sf /usr/share/zoneinfo/Asia/Seoul /etc/localtime
useradd --create-home --shell /bin/bash ops
useradd --system --shell /usr/sbin/nologin link
useradd --create-home --shell /bin/sh kim
install -d -o link -g link /var/spool/minwon
