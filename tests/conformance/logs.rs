//! CloudWatch Logs, driven by the AWS CLI and boto3.

use serde_json::json;

use crate::support::LocalCloud;

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_writes_reads_filters_and_deletes_logs() {
    let cloud = LocalCloud::start().await;
    cloud.aws(&["logs", "create-log-group", "--log-group-name", "/app", "--tags", "a=b"]).await;
    cloud.aws(&["logs", "put-retention-policy", "--log-group-name", "/app", "--retention-in-days", "7"]).await;
    cloud.aws(&["logs", "create-log-stream", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    let now = cloud.cloud().clock.now().millis();
    let events = json!([{"timestamp": now - 2, "message": "{\"level\":\"ERROR\",\"n\":5}"}, {"timestamp": now, "message": "plain"}]);
    let events = events.to_string();
    cloud
        .aws(&[
            "logs",
            "put-log-events",
            "--log-group-name",
            "/app",
            "--log-stream-name",
            "one",
            "--log-events",
            &events,
        ])
        .await;
    let all = cloud.aws(&["logs", "get-log-events", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    assert_eq!(all["events"][1]["message"], "plain");
    let pattern = "{ $.level = \"ERROR\" && $.n > 4 }";
    let found =
        cloud.aws(&["logs", "filter-log-events", "--log-group-name", "/app", "--filter-pattern", pattern]).await;
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    let groups = cloud.aws(&["logs", "describe-log-groups"]).await;
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 7);
    let error = cloud.aws_fails(&["logs", "create-log-group", "--log-group-name", "/app"]).await;
    assert!(error.contains("ResourceAlreadyExistsException"), "{error}");
    let cloud = cloud.restart().await;
    let all = cloud.aws(&["logs", "get-log-events", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    assert_eq!(all["events"].as_array().unwrap().len(), 2);
    cloud.aws(&["logs", "delete-log-group", "--log-group-name", "/app"]).await;
    let error = cloud.aws_fails(&["logs", "describe-log-streams", "--log-group-name", "/app"]).await;
    assert!(error.contains("ResourceNotFoundException"), "{error}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_pages_through_events_of_several_streams_and_goes_on_where_it_stopped() {
    let cloud = LocalCloud::start().await;
    let seen = cloud
        .boto3(
            r#"
logs = boto3.client('logs'); app = dict(logGroupName='/app')
logs.create_log_group(**app)
now = int(time.time() * 1000)
def put(stream, *messages): return logs.put_log_events(**app, logStreamName=stream, logEvents=[{'timestamp': now + at, 'message': m} for at, m in messages])
for stream in ('a/one', 'a/two', 'b'): logs.create_log_stream(**app, logStreamName=stream)
put('a/one', *[(2 * at, 'one %d' % at) for at in range(25)]); put('a/two', *[(2 * at + 1, 'two %d' % at) for at in range(25)]); put('b', (0, 'three 0'))
def filtered(**more): return [e['message'] for page in logs.get_paginator('filter_log_events').paginate(**app, PaginationConfig={'PageSize': 7}, **more) for e in page['events']]
every = filtered(logStreamNamePrefix='a/')
get = lambda **more: logs.get_log_events(**app, logStreamName='a/one', **more)
first = get(limit=10, startFromHead=True); second = get(limit=10, nextToken=first['nextForwardToken']); end = get(startFromHead=True)
last = get(nextToken=end['nextForwardToken'])
put('a/one', (100, 'late'))
after = get(nextToken=last['nextForwardToken'])
ordered = logs.describe_log_streams(**app, orderBy='LastEventTime', descending=True)['logStreams']
code = [refused(logs.put_log_events, **app, logStreamName='none', logEvents=[{'timestamp': now, 'message': 'm'}]), refused(logs.get_log_events, **app, logStreamName='none'),
    refused(logs.filter_log_events, logGroupName='/none'), refused(logs.filter_log_events, **app, filterPattern='{ $.a = }')]
say({'merged': every == ['%s %d' % (w, at) for at in range(25) for w in ('one', 'two')], 'window': filtered(startTime=now + 46, endTime=now + 49), 'words': filtered(filterPattern='"one 7"'),
     'not': len(filtered(filterPattern='-one -two')), 'pages': [first['events'][-1]['message'], second['events'][0]['message']], 'same': last['nextForwardToken'] == end['nextForwardToken'],
     'after': [e['message'] for e in after['events']], 'latest': ordered[0]['logStreamName'], 'code': code})
"#,
        )
        .await;
    let expected = json!({
        "merged": true,
        "window": ["one 23", "two 23", "one 24", "two 24"],
        "words": ["one 7"],
        "not": 2,
        "pages": ["one 9", "one 10"],
        "same": true,
        "after": ["late"],
        "latest": "a/one",
        "code": ["ResourceNotFoundException", "ResourceNotFoundException", "ResourceNotFoundException", "InvalidParameterException"],
    });
    assert_eq!(seen, expected);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_each_event_once_while_others_write_and_live_tail_is_refused_by_name() {
    let cloud = LocalCloud::start().await;
    // Page by page from shortly before the newest event on, leaving out the ids that were told; version 1 has no `tail`.
    let told = cloud
        .boto3(
            r#"
import threading
logs = boto3.client('logs'); app = dict(logGroupName='/app')
logs.create_log_group(**app)
streams = ['a', 'b', 'c']
for stream in streams: logs.create_log_stream(**app, logStreamName=stream)
now = lambda: int(time.time() * 1000)
def write(stream):
    for at in range(60):
        logs.put_log_events(**app, logStreamName=stream, logEvents=[{'timestamp': now(), 'message': '%s %d ERROR' % (stream, at)}, {'timestamp': now(), 'message': 'noise'}])
start, told, ids, writers = now(), [], set(), [threading.Thread(target=write, args=(s,)) for s in streams]
for writer in writers: writer.start()
def look():
    global start, ids
    token, newest = None, {}
    while True:
        page = logs.filter_log_events(**app, startTime=start, interleaved=True, filterPattern='ERROR', limit=25, **({'nextToken': token} if token else {}))
        for event in page['events']:
            if event['eventId'] not in ids: told.append(event['message'])
            newest.setdefault(event['timestamp'], set()).add(event['eventId'])
        token = page.get('nextToken')
        if not token: break
    if newest: ids = set().union(*newest.values()); start = max(newest) - 2000
while any(writer.is_alive() for writer in writers): look()
look()
say({'once': len(told) == len(set(told)), 'all': sorted(told) == sorted('%s %d ERROR' % (s, at) for s in streams for at in range(60)),
     'live': refused(boto3.client('logs', config=__import__('botocore.config').config.Config(inject_host_prefix=False)).start_live_tail, logGroupIdentifiers=['arn:aws:logs:us-east-1:000000000000:log-group:/app'])})
"#,
        )
        .await;
    assert_eq!(told, json!({"once": true, "all": true, "live": "NotImplemented"}));
    cloud.stop().await;
}
