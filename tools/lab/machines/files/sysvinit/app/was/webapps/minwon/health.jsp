<%@ page contentType="application/json; charset=EUC-KR" pageEncoding="UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%
byte[] work = new byte[8 * 1024 * 1024];
application.log("민원 시스템 상태 점검: 정상");
%>
{"status": "UP", "version": "1.0.0", "worked_bytes": <%= work.length %>}
