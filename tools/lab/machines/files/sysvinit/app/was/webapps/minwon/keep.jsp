<%@ page contentType="text/plain; charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%
// Keeps what it is given in a list that is never emptied: a memory leak, one request at a time.
java.util.List<byte[]> kept;
synchronized (application) {
  kept = (java.util.List<byte[]>) application.getAttribute("kept");
  if (kept == null) application.setAttribute("kept", kept = new java.util.ArrayList<byte[]>());
}
kept.add(new byte[Integer.parseInt(request.getParameter("megabytes")) * 1024 * 1024]);
%>
<%= kept.size() %>
