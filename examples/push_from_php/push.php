<?php

/**
 * Pushes a message; as GatewayWorker's Gateway::sendToUid, sendToGroup and sendToAll.
 *
 * @param array $order for example ['uid' => 'anna', 'message' => 'hello'], ['group' => 'news', …] or ['all' => true, …]
 */
function push(array $order): void
{
    $port = getenv('PUSH_PORT') ?: '8283';
    $request = [
        'method' => 'POST',
        'header' => ['Authorization: Bearer ' . getenv('PUSH_TOKEN'), 'Content-Type: application/json'],
        'content' => json_encode($order, JSON_THROW_ON_ERROR),
        'timeout' => 5,
        'ignore_errors' => true,  // the answer of the service says what was wrong
    ];
    $answer = @file_get_contents("http://127.0.0.1:$port/push", false, stream_context_create(['http' => $request]));
    $status = $http_response_header[0] ?? 'no answer';
    if (!str_contains($status, ' 202 ')) {
        throw new RuntimeException(trim("not pushed: $status $answer"));
    }
}

[, $user, $message] = $argv;
push(['uid' => $user, 'message' => $message]);
