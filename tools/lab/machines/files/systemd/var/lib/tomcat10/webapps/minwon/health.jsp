<%@ page contentType="application/json; charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<% byte[] work = new byte[8 * 1024 * 1024]; %>
{"status": "UP", "version": "1.0.0", "worked_bytes": <%= work.length %>}
