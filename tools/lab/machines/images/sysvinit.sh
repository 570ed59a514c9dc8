# An older make: init scripts, dash, EUC-KR, services of a contractor below /app and /data.
echo 'ko_KR.EUC-KR EUC-KR' > /etc/locale.gen
locale-gen >/dev/null
printf 'LANG=ko_KR.eucKR\n' > /etc/default/locale
echo '이 시스템은 허가된 사용자만 접속할 수 있으며 모든 작업은 기록됩니다.' \
  | iconv -f UTF-8 -t EUC-KR > /etc/issue.net
usermod --shell /bin/dash ops
sed -i '/getty/d' /etc/inittab
for service in apache2 postgresql hwclock.sh; do update-rc.d "$service" remove >/dev/null; done

useradd --system --home-dir /app/was --shell /bin/dash was
useradd --system --home-dir /app/web --shell /usr/sbin/nologin web
mkdir -p /app/web/bin /app/web/conf /app/web/htdocs /app/web/logs /app/was/bin /app/was/conf /app/was/logs \
  /app/was/temp /app/was/webapps /app/was/work /data
cp -rL /usr/share/tomcat10/bin /app/was/tomcat-bin 2>/dev/null || true
mv /app/was/tomcat-bin/* /app/was/bin/ && rmdir /app/was/tomcat-bin
cp -rL /usr/share/tomcat10/lib /app/was/lib
cp -L /usr/share/java/eclipse-jdt-core.jar /app/was/lib/ecj.jar
(cd /root && apt-get download -qq tomcat10 && dpkg-deb --extract tomcat10_*.deb packaged)
cp /root/packaged/usr/share/tomcat10/etc/web.xml /app/was/conf/web.xml
rm -r /root/packaged /root/tomcat10_*.deb
chown -R was:was /app/was
chown -R web:web /app/web/logs

version=$(ls /usr/lib/postgresql)
pg_dropcluster "$version" main 2>/dev/null || true
pg_createcluster --datadir=/data/pgsql --port=15432 --locale=C --encoding=UTF8 "$version" minwon >/dev/null
echo "include_if_exists = '/etc/postgresql/machine.conf'" >> "/etc/postgresql/$version/minwon/postgresql.conf"
echo "host all all 127.0.0.0/8 scram-sha-256" >> "/etc/postgresql/$version/minwon/pg_hba.conf"
pg_ctlcluster "$version" minwon start
runuser -u postgres -- psql -q -p 15432 -v ON_ERROR_STOP=1 <<'END'
create role minwon login;
create database minwon owner minwon;
\connect minwon
set role minwon;
create table account (account_id int primary key, balance bigint not null, updated_at timestamptz default now());
insert into account select n, 1000000, now() from generate_series(1, 1000) n;
END
pg_ctlcluster "$version" minwon stop
