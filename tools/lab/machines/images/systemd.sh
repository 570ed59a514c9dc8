# A current Debian: systemd, journald, UTF-8, packaged services under their packaged names.
printf 'LANG=C.UTF-8\n' > /etc/default/locale
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer console-getty.service getty@.service systemd-pstore.service >/dev/null 2>&1
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n' > /etc/systemd/journald.conf.d/limits.conf

# The address of each machine is in files of their own, written before it starts.
cluster=$(echo /etc/postgresql/*/main)
echo "include_if_exists = '/etc/postgresql/machine.conf'" >> "$cluster/postgresql.conf"
echo "host all all 127.0.0.0/8 scram-sha-256" >> "$cluster/pg_hba.conf"
sed -i 's/^JAVA_OPTS=.*/JAVA_OPTS="-Djava.awt.headless=true -Xms32m -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"/' \
  /etc/default/tomcat10

version=$(basename "$(dirname "$cluster")")
pg_ctlcluster "$version" main start
runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 <<'END'
create role minwon login;
create database minwon owner minwon;
\connect minwon
set role minwon;
create table account (account_id int primary key, balance bigint not null, updated_at timestamptz default now());
insert into account select n, 1000000, now() from generate_series(1, 1000) n;
END
pg_ctlcluster "$version" main stop

install -d -o mysql -g mysql /run/mysqld
mariadbd-safe --skip-networking >/dev/null 2>&1 &
for _ in $(seq 100); do mariadb-admin ping >/dev/null 2>&1 && break; sleep 0.2; done
mariadb <<'END'
create database minwon;
use minwon;
create table account (account_id int primary key, balance bigint not null) engine=innodb;
insert into account select seq, 1000000 from seq_1_to_1000;
END
mariadb-admin shutdown
wait
