//! What Velocity 1.7 and Java do, and one would not expect.

use serde_json::{Value, json};

use super::{Template, check, run, try_run, try_with};

#[test]
fn what_has_no_value_sets_nothing() {
    check(&[
        ("#set($x = 'kept')#set($x = $none)$x", "kept"),
        ("#set($m = {'a': 1})#set($m.a = $none)#set($m['a'] = $none)$m", "{a=1}"),
        ("#set($x = 1)#set($x = 'a' * 2)$x", "1"),
    ]);
    let last = "#foreach($i in $input.path('$.list'))#set($v = $i.name)$v,#end";
    assert_eq!(try_with(last, r#"{"list": [{"name": "a"}, {}]}"#).unwrap(), "a,a,");
}

#[test]
fn only_the_context_makes_places_on_the_way() {
    check(&[
        ("#set($m = {})#set($m.z.deep = 3)$m", "{}"),
        ("#set($nobody.x = 1)[$nobody]", "[]"),
        ("#set($stageVariables.a.b = 1)[$stageVariables.a]", "[]"),
        ("#set($context.responseOverride.header.X = 'y')$context.responseOverride", "{header={X=y}}"),
    ]);
}

#[test]
fn a_condition_is_false_of_nothing_of_false_and_of_what_is_no_reference() {
    check(&[
        ("#if($input.params('none'))there#end", "there"),
        ("#if($input.params('none') && $input.params('none') != '')there#end", ""),
        ("#set($x = '')#if($x)a#end#if(!$x)b#end#if($x == '')c#end", "ac"),
        ("#set($x = 0)#if($x)a#end#set($x = [])#if($x)b#end#set($x = false)#if($x)c#end", "ab"),
        ("#if('a')a#end#if(1)b#end#if([1])c#end#if(1 + 1)d#end#if(!'a')e#end#if(true && ('a'))f#end", "e"),
        // What a text has no method for has no value: the list that is missing is empty.
        ("#if($input.path('$.none') && $input.path('$.none').size() > 0)some#{else}none#end", "none"),
    ]);
}

#[test]
fn only_numbers_have_an_order_and_only_texts_are_joined() {
    check(&[
        ("#set($d = '2025')#if($d < '2026')a#end#if($d >= '2024')b#end#if('a' < 1)c#end#if($none < 1)d#end", ""),
        ("#if(9007199254740993 == 9007199254740992)a#end#if(9007199254740993 > 9007199254740992)b#end", "b"),
        ("#if(1 == 1.0 && 2 > 1.5)a#end#set($l = [9007199254740993])$l.contains(9007199254740992)", "afalse"),
        ("#set($x = 'kept')#set($x = [1] + 2)$x#set($x = {} + [])$x", "keptkept"),
        ("#set($x = 'a' + 1 + [2])$x#set($x = 1 + 2 + 'a')$x#set($x = true + 'a')$x", "a1[2]3atruea"),
        (
            "#set($x = 'a' + $none)$x #set($x = $!none.concat( 'c' ) + 'a')$x #set($x = 'a' + $none + 'b')$x",
            "a$none$!none.concat( 'c' )aa$noneb",
        ),
        ("#set($n = '3')#foreach($i in [1..$n])$i#end#set($n = 3)#foreach($i in [1..$n])$i#end", "123"),
    ]);
}

#[test]
fn a_backslash_hides_what_has_a_value_and_stays_before_what_has_none() {
    check(&[
        (r#"{"\$ref": "\$context.stage"}"#, r#"{"\$ref": "$context.stage"}"#),
        (r"#set($x = 1)\$x \$!x \${x} \$!{x.y} \\$x \\\$x \\$none", r"$x $!x ${x} \$!{x.y} \1 \$x \"),
        (r"\$x.frobnicate() \$input.path('$.n')", r"\$x.frobnicate() $input.path('$.n')"),
        (r"\#if \#{end} \\#set($x = 1)$x \#ref \\#ref", r"#if #{end} \1 \#ref \\#ref"),
        (r"#macro(m)#end\#m() \#n()", r"#m() \#n()"),
    ]);
}

#[test]
fn lists_are_set_where_they_have_a_place() {
    check(&[
        ("#set($l = [1])#set($l['1'] = 2)#set($l.x = 2)$l", "[1]"),
        ("#set($l = [1, 2])#set($l[-1] = 3)#set($l[0] = 0)$l", "[0, 3]"),
    ]);
    for beyond in [
        "#set($l = [1])#set($l[1] = 2)",
        "#set($l = [1])$l.set('1', 2)",
        "#set($l = [1])$l.set(1, 2)",
        "#set($l = [])$l.set('0', 1)",
        "#set($l = [])$l.set(0, 1)",
        "#set($l = [])#set($l[-1] = 1)",
        "#set($l = [1])$l.add('0', 2)",
    ] {
        assert!(try_run(beyond).is_err(), "{beyond}");
    }
}

#[test]
fn methods_are_those_of_the_class_with_javas_values() {
    check(&[
        ("#set($l = ['a', 'b', 'a'])$l.lastIndexOf('a')$l.lastIndexOf('c')", "2-1"),
        (
            "#set($m = {'a': 1})$m.replace('a', 2)$m.replace('b', 2)$m.replace('a', 1, 3)$m.replace('a', 2, 3)$m",
            "1falsetrue{a=3}",
        ),
        ("#set($m = {'a': 1, 'b': 2})$m.remove('a', 2)$m.remove('b', 2)$m", "falsetrue{a=1}"),
        (
            "#set($s = 'abcabc')$s.lastIndexOf('c', 4)$s.lastIndexOf('c', 5)$s.lastIndexOf('a', -1)$s.lastIndexOf('b', 99)",
            "25-14",
        ),
        (
            "#set($s = 'abc')$s.indexOf('a', -5)$s.indexOf('c', 99)$s.startsWith('b', 1)$s.startsWith('b', 99)",
            "0-1truefalse",
        ),
        ("#set($s = 'a')$s.compareTo('c') $s.compareTo('abc') $s.compareToIgnoreCase('A')", "-2 -2 0"),
        ("#set($s = 'x😀yx')$s.length()$s.indexOf('y')$s.substring(3)$s.charAt(3)$s.lastIndexOf('x', 3)", "53yxy0"),
        (
            "#set($n = 3000000000)$n.intValue() $n.longValue()#set($n = 3e9) $n.intValue() $n.longValue() $n",
            "-1294967296 3000000000 2147483647 3000000000 3.0E9",
        ),
        ("#set($b = true)$b.compareTo(false)$b.toString()#set($n = 2)$n.compareTo(3)", "1true-1"),
        ("#set($s = 'a')$s.replaceAll('(?<x>b)?a', '[${x}$1]')", "[]"),
        // Of another class: nothing, as in Velocity.
        (
            "#set($s = 'a')[$s.size()][$s.keySet()]#set($l = [])[$l.length()]#set($m = {})[$m.contains('a')]#set($n = 1)[$n.trim()]",
            "[][][][][]",
        ),
        (r#"#set($s = "	 x ")[$s.trim()]"#, "[x]"),
    ]);
    let refused = [
        ("#set($s = 'a')$s.indexOf(97)", "the method indexOf() of a text does not take (a number)"),
        ("#set($s = 'a')$s.contains($none)", "the method contains() of a text does not take (nothing)"),
        ("#set($l = [1])$l.get('0')", "the method get() of a list does not take (a text)"),
        ("#set($m = {})$m.put('a')", "the method put() of a map does not take (a text)"),
        ("#set($n = 1)$n.compareTo('a')", "the method compareTo() of a number does not take (a text)"),
        ("#set($s = 'a')$s.replaceAll('a', 1)", "the method replaceAll() of a text does not take (a text, a number)"),
        ("#set($s = 'a')$s.replaceAll('a', '${x}')", "no group is named x"),
        ("#set($s = '😀')$s.substring(1)", "cuts a character in two"),
        ("#set($n = 1)$n.parseInt('3000000000')", "which is no number"),
    ];
    for (template, why) in refused {
        let error = try_run(template).unwrap_err();
        assert!(error.contains(why), "{template}: {error}");
    }
}

/// Templates as they are found in guides and in what tools write.
#[test]
fn what_is_widely_written_is_taken() {
    let written = [
        "#if($input.path('$.ShardCount') == '') 5 #else $input.path('$.ShardCount') #end",
        "#set($errorMessageObj = $util.parseJson('{\"a\": 1}'))$errorMessageObj.a",
        "#set($inputRoot = $input.path('$'))#if($inputRoot.toString().contains(\"error\"))#set($context.responseOverride.status = 500)#end",
        "#if(\"$!inputRoot.next_url\" != \"\")x#end",
        "#if($limit && $limit.length() != 0)x#end",
        "#set($context.requestOverride.header.X-Id = $context.requestId)$input.json('$')",
        "#if($input.params().header.get('Content-Type') == 'application/json')x#end",
        "#if($input.params().header.size() > 0),#end#foreach($p in $input.params().header.keySet())$p#end",
        "#foreach($track in $input.path('$.tracks')){\"S\": \"$track\"}#if($foreach.hasNext),#end#end",
        "$util.escapeJavaScript($input.path('$.n')).replaceAll(\"\\\\'\", \"'\")",
        "#set($s = $input.json('$').replaceAll('\"', '\\\\\"'))$s",
        "#define($x)#end#set($list = [ $input.params('a') , 1.5 , true , {} , [1..2] ])#set($m = { \"a\" : $x , 'b' : -1 })$list[ 0 ]",
        "#macro(pair $a $b)$a$b#end#pair('a' -1)#pair($x, \"b\")",
        "Action=SendMessage&MessageBody=$util.urlEncode($input.body)&MessageAttribute.1.Name=a",
    ];
    for template in written {
        assert!(try_run(template).is_ok(), "{template}: {:?}", try_run(template));
    }
    // Serverless' default request template.
    let serverless = r##"
    #define( $loop )
      {
        #foreach($key in $map.keySet())
            #set( $k = $util.escapeJavaScript($key) )
            #set( $v = $util.escapeJavaScript($map.get($key)).replaceAll("\\'", "'") )
            "$k":
              "$v"
              #if( $foreach.hasNext ) , #end
        #end
      }
    #end
    {
      "body": $input.json("$"),
      "method": "$context.httpMethod",
      #set( $map = $context.authorizer )
      "enhancedAuthContext": $loop,
      #set( $map = $input.params().querystring )
      "query": $loop,
      #set( $map = $stageVariables )
      "stageVariables": $loop
    }"##;
    let made: Value = serde_json::from_str(&run(serverless)).unwrap();
    assert_eq!((&made["query"], &made["enhancedAuthContext"]), (&json!({"q": "a b"}), &json!({})));
    assert!(Template::parse("$input.path('$..a[?(@.b == 1)]')").is_ok());
}
