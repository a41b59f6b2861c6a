<?php
// Tells all that PHP knows of a request, under every name it has for it.
$all = ['server' => $_SERVER, 'headers' => getallheaders(), 'input' => file_get_contents('php://input')];
header('Content-Type: application/json');
echo json_encode($all, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
