//! Templates as clients put them, and what API Gateway makes of them.

use serde_json::{Map, Value, json};

use super::{Inputs, Params, Template, TemplateError, render};

mod limits;
mod velocity;

const BODY: &str = r#"{"name":"Ann \"A\"","list":[{"n":1},{"n":2}],"deep":{"x":null,"y":2.5},"tags":["a","b"],"n":7}"#;

fn run(template: &str) -> String {
    try_run(template).unwrap_or_else(|error| panic!("{template}: {error}"))
}

fn try_run(template: &str) -> Result<String, String> {
    try_with(template, BODY)
}

fn try_with(template: &str, body: &str) -> Result<String, String> {
    let params = Params {
        path: Map::from_iter([("id".to_owned(), json!("7"))]),
        query: Map::from_iter([("q".to_owned(), json!("a b"))]),
        header: Map::from_iter([("X-One".to_owned(), json!("1"))]),
    };
    let inputs = Inputs {
        body,
        params: &params,
        context: &json!({"stage": "lab", "identity": {"sourceIp": "1.2.3.4", "user": null}}),
        stage_variables: &json!({"color": "red"}),
    };
    let template = Template::parse(template).map_err(|error| error.into_text())?;
    render(&template, &inputs).map(|rendered| rendered.text)
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        assert_eq!(run(template), *expected, "{template}");
    }
}

#[test]
fn templates_render_as_on_api_gateway() {
    check(&[
        ("plain {\"a\": 1} 5$ #1 \\$x #fff #a(b) #{b c}", "plain {\"a\": 1} 5$ #1 \\$x #fff #a(b) #{b c}"),
        ("$input.json('$.list[1]')", r#"{"n":2}"#),
        ("$input.json('$.missing')", "\"\""),
        ("$input.json('$[-9223372036854775808]')$input.json('$.list[-1].n')", "\"\"2"),
        ("$input.path('$.deep.y')", "2.5"),
        ("#set($n = $input.path('$.deep.y').intValue())$n#set($seven = 7)$seven.intValue()", "27"),
        ("#if(2 le 2 && 3 ge 2)yes#end", "yes"),
        ("#if(2 lt 3 and(3 gt 2)and not false or false)yes#end", "yes"),
        ("$input.params('id')/$input.params('q')/$input.params('x-one')/$input.params('none')", "7/a b/1/"),
        ("$input.params().header.get('X-One') $input.params().path.id $input.params().querystring['q']", "1 7 a b"),
        ("$util.escapeJavaScript($input.path('$.name'))", r#"Ann \"A\""#),
        ("$util.urlEncode($input.params('q')) $util.base64Encode('hi')", "a+b aGk="),
        ("$util.urlDecode('a+b%2Fc') $util.base64Decode('aGk=')", "a b/c hi"),
        ("#set($p = $util.parseJson('{\"a\": [1, {\"b\": \"c\"}]}'))$p.a[1].b $p.a", r#"c [1,{"b":"c"}]"#),
        ("$context.stage $context.identity.sourceIp [$context.unknown] $stageVariables.color", "lab 1.2.3.4 [] red"),
        ("${stageVariables.color}/$stageVariables.get('color')/$stageVariables['color']", "red/red/red"),
        ("#set($x = 1 + 2 * 3)$x #set($x = \"v${x}\")$x", "7v7"),
        ("#set($x = (1 + 2) * 3 - 4 / 2 % 2)$x", "9"),
        ("#set($x = 1.5e1)$x #set($y = .5)$y #set($z = -3)$z", "15.00.5-3"),
        ("#if($input.path('$.list').size() > 1 && !false)yes#{else}no#end", "yes"),
        ("#if(1 == 2)a#elseif('x' == 'x')b#{else}c#end", "b"),
        ("#foreach($i in $input.path('$.list'))$i.n#if($foreach.hasNext),#end#end", "1,2"),
        ("#foreach($n in [1..3])$n$velocityCount #end", "11 22 33 "),
        ("#set($m = {'a': 1})#foreach($k in $m.keySet())$k=$m.get($k)#end", "a=1"),
        ("#set($l = [])#set($v = $l.add('x'))$l.size() $l", "1 [x]"),
        ("## comment\nx#* all\n of it *#y#[[$as #it is]]#", "xy$as #it is"),
        ("#set($s = 'a,b')$s.split(',').size() $s.replaceAll('[ab]', 'z') $s.substring(2)", "2 z,z b"),
        ("a#set($x = 1)b#stop c", "ab"),
        (r"#set($x = 1)\$x \\$x \$ \\ \#if \#1 \n", r"$x \1 \$ \\ #if \#1 \n"),
        (r#"#set($s = 'a$b')$s.replaceAll("\$", "-") $input.path("$.deep.y")"#, "a-b 2.5"),
    ]);
}

#[test]
fn what_has_no_value_leaves_no_trace() {
    check(&[
        ("[$unknown][$!unknown][${unknown}][$unknown.a.trim()][$!{unknown}]", "[][][][][]"),
        ("[$input.path('$').missing][$input.path('$.deep').x][$context.identity.user]", "[][][]"),
        ("[$util.escapeJavaScript($unknown)][$m.put('a', 1)]", "[][]"),
        ("#set($m = {})[$m.put('a', 1)][$m.put('a', 2)]", "[][1]"),
        ("#if($unknown)a#elseif(!$unknown && $unknown == $null)b#end#if($unknown == 'null')c#end", "b"),
        ("#if($input.path('$.missing') == '')a#end#if($input.params('none') == \"\")b#end", "ab"),
    ]);
    assert_eq!(try_with("$input.body $input.json('$')", "").unwrap(), "{} {}");
}

#[test]
fn loops_know_where_they_are() {
    check(&[
        ("#foreach($x in ['a', 'b', 'c'])$foreach.index$foreach.count$x#if($foreach.last)!#end #end", "01a 12b 23c! "),
        ("#foreach($x in [1, 2])#if($foreach.first)first#else,#end$x#end", "first1,2"),
        ("#foreach($x in [1..9])#if($x > 3)#break#end$x#end.", "123."),
        ("#foreach($x in [1, 2])#if($foreach.hasNext())$foreach.getIndex()#end$foreach.isLast() #end", "0false true "),
        ("#foreach($x in {'a': 1, 'b': 2})$x#end", "12"),
        ("#set($m = {'a': 1, 'b': 2})#foreach($e in $m.entrySet())$e.key=$e.value;$e.getKey()#end", "a=1;ab=2;b"),
        ("#foreach($x in [3..1])$x #end#foreach($x in [])never#end", "3 2 1 "),
        (
            "#foreach($a in [1, 2])#foreach($b in [1, 2])$foreach.parent.index$foreach.topmost.count$b #end$velocityCount$foreach.index;#end",
            "011 012 10;121 122 21;",
        ),
        ("#set($x = 'kept')#foreach($x in [1])#end$x $foreach $velocityCount", "kept  "),
    ]);
    let falling = run("#foreach($n in [5000..1])$n,#end");
    assert!(falling.starts_with("5000,4999,") && falling.ends_with(",4001,"), "{falling}");
}

#[test]
fn texts_have_javas_methods() {
    check(&[
        (
            "#set($s = ' Hello World ')$s.trim().length()$s.trim().toUpperCase()$s.toLowerCase()",
            "11HELLO WORLD hello world ",
        ),
        (
            "#set($s = 'hello')$s.substring(1, 3)$s.indexOf('l')$s.indexOf('l', 3)$s.lastIndexOf('l')$s.indexOf('z')",
            "el233-1",
        ),
        (
            "#set($s = 'hello')$s.contains('ell')$s.startsWith('he')$s.endsWith('x')$s.isEmpty()$s.charAt(4)",
            "truetruefalsefalseo",
        ),
        (
            "#set($s = 'hello')$s.equals('hello')$s.equalsIgnoreCase('HELLO')$s.matches('h.*o')$s.matches('h')",
            "truetruetruefalse",
        ),
        (
            "#set($s = 'a.b.c')$s.replace('.', '-') $s.replaceAll('\\.', '') $s.replaceFirst('[a-c]', 'x')",
            "a-b-c abc x.b.c",
        ),
        ("#set($s = 'john doe')$s.replaceAll('(\\w+) (\\w+)', '$2, $1')", "doe, john"),
        ("#set($s = \"it\\'s\")$s.replaceAll(\"\\\\'\", \"'\")", "it's"),
        ("#set($s = 'a=b&c=d')#foreach($p in $s.split('&'))#set($kv = $p.split('='))$kv[0]:$kv[1] #end", "a:b c:d "),
        ("#set($s = 'a,b,,')$s.split(',').size()#set($s = 'abc')$s.split('')$s.split('x')", "2[a, b, c][abc]"),
        ("#set($s = 'a,b,c')$s.split(',', 2) $s.concat('!') $s.compareTo('b')", "[a, b,c] a,b,c! -1"),
        ("#set($s = 'x')$s.repeat(3)$s.equals(1)#if(\"1\" == 1)same#end", "xxxfalsesame"),
        ("#set($n = 0)#set($x = $n.parseInt('41') + 1)$x", "42"),
        ("$util.escapeJavaScript(\"a'/\u{8}\u{c}\n\té\")", r"a\'\/\b\f\n\t\u00E9"),
    ]);
}

#[test]
fn lists_and_maps_have_javas_methods() {
    check(&[
        (
            "#set($l = ['a', 'b'])$l.get(0)$l[1]$l[-1]$l.size()$l.isEmpty()$l.contains('b')$l.indexOf('c')$l.empty",
            "abb2falsetrue-1false",
        ),
        (
            "#set($l = ['a', 'b'])#set($x = $l.add(0, 'z'))#set($x = $l.set(1, 'y'))#set($x = $l.remove('b'))$l",
            "[z, y]",
        ),
        ("#set($l = [5, 6])#set($x = $l.remove(0))$l#set($x = $l.addAll([7, 8]))$l.subList(1, 3)", "[6][7, 8]"),
        (
            "#set($m = {'a': 1, \"b\": [2]})$m.a$m['b'][0]$m.get('c')$m.containsKey('a')$m.size()$m.values()",
            "12true2[1, [2]]",
        ),
        (
            "#set($m = {'z': {}})#set($m.x = 1)#set($m['y'] = 2)#set($m.z.deep = 3)$m$m.remove('x')$m.keySet()",
            "{z={deep=3}, x=1, y=2}1[z, y]",
        ),
        ("#set($m = {'a': 1})#set($x = $m.putAll({'b': 2}))$m.getOrDefault('c', 3)$m.containsValue(2)", "3true"),
        // One list by two names; a map that a list holds.
        ("#set($a = [1])#set($b = $a)#set($x = $b.add(2))$a", "[1, 2]"),
        ("#set($l = [{}])#foreach($m in $l)#set($m.seen = true)#end$l", "[{seen=true}]"),
        // A body's lists print as JSON, its maps do not.
        (
            "$input.path('$.tags') $input.path('$.list') $input.path('$').deep",
            r#"["a","b"] [{"n":1},{"n":2}] {x=null, y=2.5}"#,
        ),
    ]);
    for beyond in [
        "#set($l = [1])$l.get(1)",
        "#set($l = [1])$l[1]",
        "#set($s = 'abc')$s.substring(4)",
        "#set($s = 'abc')$s.substring(2, 1)",
    ] {
        assert!(try_run(beyond).is_err(), "{beyond}");
    }
}

#[test]
fn macros_blocks_and_texts_that_are_templates_render_where_they_stand() {
    check(&[
        (
            "#macro(pair $k $v)\"$k\": \"$v\"#end{#pair('a' 1),#pair(\"b\", $input.path('$.n'))}",
            r#"{"a": "1","b": "7"}"#,
        ),
        ("#twice('x')#macro(twice, $s)$s$s#end[$s]", "xx[]"),
        ("#define($block)<$x>#end#set($x = 1)$block#set($x = 2)$block#set($block = 'over')$block", "<1><2>over"),
        ("#set($t = 'n is $n#if($n > 1)!#end')#set($n = 2)#evaluate($t)", "n is 2!"),
        ("#set($n = 2)#set($t = \"n is ${n}#if($n > 1)!#end\")$t", "n is 2!"),
    ]);
    for endless in [
        "#macro(again $n)#again($n)#end#again(1)",
        "#define($again)$again#end$again",
        "#set($t = '#evaluate($t)')#evaluate($t)",
        "#macro(again $n)#set($m = [[[\"$n#again($n)\"]]])#end#again(1)",
    ] {
        let error = try_run(endless).unwrap_err();
        assert!(error.contains("deep"), "{endless}: {error}");
    }
}

#[test]
fn lines_end_with_the_directive_that_stands_on_them() {
    check(&[
        ("  #set($a = 1)\n{\n#if($a == 1)  \n  \"a\": $a\n#else\nno\n#end\n}", "{\n  \"a\": 1\n}"),
        ("[#foreach($x in [1, 2])\n$x\n#end\n]", "[1\n2\n]"),
        ("#if(true)a#end-b#if(false)c#else-d#end", "a-b-d"),
    ]);
}

/// The templates of AWS's own guide: everything passed through, and the photo album.
#[test]
fn the_templates_that_everybody_copies_give_documents() {
    let through = r###"#set($allParams = $input.params())
{
"body-json" : $input.json('$'),
"params" : {
#foreach($type in $allParams.keySet())
    #set($params = $allParams.get($type))
"$type" : {
    #foreach($paramName in $params.keySet())
    "$paramName" : "$util.escapeJavaScript($params.get($paramName))"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"stage-variables" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {"account-id" : "$context.identity.accountId", "stage" : "$context.stage", "claims": "$context.authorizer.claims.sub"}
}"###;
    let made: Value = serde_json::from_str(&run(through)).unwrap();
    assert_eq!(made["body-json"], serde_json::from_str::<Value>(BODY).unwrap());
    assert_eq!(made["params"], json!({"path": {"id": "7"}, "querystring": {"q": "a b"}, "header": {"X-One": "1"}}));
    assert_eq!(made["stage-variables"], json!({"color": "red"}));
    assert_eq!(made["context"], json!({"account-id": "", "stage": "lab", "claims": ""}));

    let defined = r###"
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
  "stage": "$context.stage",
  #set( $map = $input.params().header )
  "headers": $loop,
  #set( $map = $context.identity )
  "identity": $loop
}"###;
    let made: Value = serde_json::from_str(&run(defined)).unwrap();
    let wanted = json!({"stage": "lab", "headers": {"X-One": "1"}, "identity": {"sourceIp": "1.2.3.4", "user": ""}});
    assert_eq!(made, wanted);

    let form = r###"{
#foreach( $token in $input.path('$').split('&') )
  #set( $keyVal = $token.split('=') )
  #set( $keyValSize = $keyVal.size() )
  #if( $keyValSize >= 1 )
    #set( $key = $util.escapeJavaScript($util.urlDecode($keyVal[0])) )
    #if( $keyValSize >= 2 )
      #set( $val = $util.escapeJavaScript($util.urlDecode($keyVal[1])).replaceAll("\\'","'") )
    #else
      #set( $val = '' )
    #end
    "$key": "$val"#if($foreach.hasNext),#end
  #end
#end
}"###;
    let made = try_with(form, "name=O%27Hara+J&empty=&x=%22").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&made).unwrap(), json!({"name": "O'Hara J", "empty": "", "x": "\""}));

    let album = r###"#set($inputRoot = $input.path('$'))
{
  "photos": [
#foreach($elem in $inputRoot.photos.photo)
    {
      "id": "$elem.id",
      "photographedBy": "$elem.photographer_first_name $elem.photographer_last_name",
      "title": "$elem.title",
      "ispublic": $elem.ispublic,
      "isfriend": $elem.isfriend
    }#if($foreach.hasNext),#end

#end
  ]
}"###;
    let photo = |id: &str, by: &str| json!({"id": id, "photographer_first_name": by, "photographer_last_name": "Ma", "title": "t", "ispublic": true, "isfriend": false});
    let body = json!({"photos": {"page": 1, "photo": [photo("1", "Saanvi"), photo("2", "Ada")]}}).to_string();
    let made: Value = serde_json::from_str(&try_with(album, &body).unwrap()).unwrap();
    let wanted =
        |id: &str, by: &str| json!({"id": id, "photographedBy": by, "title": "t", "ispublic": true, "isfriend": false});
    assert_eq!(made, json!({"photos": [wanted("1", "Saanvi Ma"), wanted("2", "Ada Ma")]}));
}

#[test]
fn what_is_set_in_the_context_or_the_stage_variables_stands_beside_what_is_there() {
    check(&[
        ("#set($stageVariables.size = 'big')$stageVariables.color $stageVariables.size", "red big"),
        ("#set($context.responseOverride.status = 404)$context.stage $context.responseOverride.status", "lab 404"),
    ]);
    for hidden in [
        "#set($input.y = 1)",
        "#set($util = 1)",
        "#foreach($input in [1])#end",
        "#macro(m $util)#end",
        "#define($input)#end",
    ] {
        assert!(matches!(Template::parse(hidden), Err(TemplateError::Unsupported(_))), "{hidden}");
    }
}

#[test]
fn sixty_four_levels_of_anything_are_read_and_rendered_and_sixty_five_refused() {
    let nested =
        |open: &str, inner: &str, close: &str, levels: usize| open.repeat(levels) + inner + &close.repeat(levels);
    let set = |value: String| format!("#set($l = [0])#set($x = {value})$!y");
    let quoted = |levels: usize| {
        // Each pair of quotes within others is doubled: so few levels of them, and brackets inside.
        set(format!("\"${{y}}#set($z = {})\"", nested("(", "1", ")", levels - 1)))
    };
    type Form<'f> = (&'f str, &'f dyn Fn(usize) -> String);
    let forms: [Form<'_>; 8] = [
        ("brackets", &|levels| set(nested("(", "1", ")", levels))),
        ("lists", &|levels| set(nested("[", "1", "]", levels))),
        ("maps", &|levels| set(nested("{'a': ", "1", "}", levels))),
        ("calls", &|levels| set(nested("$l.get(", "0", ")", levels))),
        ("indices", &|levels| set(nested("$l[", "0", "]", levels))),
        ("blocks", &|levels| nested("#if(true)", "x", "#end", levels)),
        ("loops", &|levels| nested("#foreach($x in [1])", "x", "#end", levels - 1)),
        ("a text", &quoted),
    ];
    for (what, form) in forms {
        if let Err(error) = try_run(&form(64)) {
            panic!("{what}: {error}");
        }
        let error = Template::parse(&form(66)).map(drop).unwrap_err();
        assert!(error.into_text().contains("nested deeper than 64 levels"), "{what}");
    }
    let sixty_five = set(nested("(", "1", ")", 65));
    assert!(Template::parse(&sixty_five).is_err());
    // A text that is evaluated stands as deep as the directive.
    let evaluated =
        |levels: usize| format!("#set($t = '{}')#if(true)#evaluate($t)#end", nested("#if(true)", "x", "#end", levels));
    assert_eq!(run(&evaluated(62)), "x");
    assert!(try_run(&evaluated(63)).unwrap_err().contains("nested deeper"));
    // Lines are those of the template.
    let error = Template::parse("a\nb\n#set($x = \"c\n$y.frobnicate(\n)#if(\")").map(drop).unwrap_err();
    assert!(matches!(&error, TemplateError::Unsupported(_)), "{error:?}");
    let error = Template::parse("a\nb\n#set($x = \"c\n#if(\")").map(drop).unwrap_err();
    assert!(error.into_text().starts_with("line 4: "));
}

#[test]
fn a_template_that_runs_wild_is_an_error() {
    let doubled = "#set($x = $x + $x)";
    let nested = "#set($x = [$x, 1])".repeat(150);
    let grow = |start: &str, round: &str| format!("#set($x = {start})#foreach($i in [1..1000]){round}#end$x");
    let cases = [
        grow("'x'", doubled),
        grow("[1]", "#set($y = $x.add($x))"),
        grow("[1]", "#set($x = [$x, $x])"),
        grow("{}", "#set($x.me = $x)"),
        grow("'x'", "#set($x = $x.replace('x', 'xx'))"),
        grow("'x'", "#set($x = $x.replaceAll('x', '$0$0'))"),
        grow("'x'", "#set($x = $x.repeat(9))"),
        grow("'x'", "#set($x = \"$x$x\")"),
        grow("[1]", "#set($y = $x.addAll($x))"),
        grow("[1]", &nested),
        grow("1", "#foreach($j in [1..1000])#set($x = $j)#end"),
        grow("1", "#foreach($j in [1..1000])#foreach($k in [1..1000])#end#end"),
        format!("#set($x = 'xxxxxxxxxx')#foreach($i in [1..20]){doubled}#end#set($l = $x.split(''))$l.size()"),
        // Small to make, endless to look at.
        format!("#set($x = [1]){}$x", "#set($x = [$x, $x])".repeat(60)),
        format!("#set($x = [1])#set($y = [1]){}#if($x == $y)#end", "#set($x = [$x, $x])#set($y = [$y, $y])".repeat(60)),
        format!("#set($context{} = 1)$context", ".a".repeat(1000)),
    ];
    for template in cases {
        let shown: String = template.chars().take(100).collect();
        assert!(try_run(&template).is_err(), "{shown}");
    }
}

#[test]
fn an_honest_loop_over_a_long_list_is_none() {
    let items: Vec<Value> =
        (0..1000).map(|n| json!({"id": n, "name": "a name of some length", "tags": ["one", "two", "three"]})).collect();
    let body = json!({ "items": items }).to_string();
    let template = "#set($root = $input.path('$'))#foreach($item in $root.items)#if($root.items && $root.items.size() > 0)\
                    $item.id:$item.name:#foreach($tag in $item.tags)$tag#if($foreach.hasNext),#end#end\
                    #set($other = $root.items.get($item.id))$other.name.toUpperCase()#end#if($foreach.hasNext);#end#end";
    let text = try_with(template, &body).unwrap();
    assert_eq!(text.split(';').count(), 1000);
    assert!(text.ends_with("999:a name of some length:one,two,threeA NAME OF SOME LENGTH"), "{text}");
}

#[test]
fn what_is_broken_or_unknown_is_refused_when_the_template_is_read() {
    for template in [
        "#if(true)",
        "#set($x = )",
        "#foreach($x in [1])",
        "#if(1 ==)x#end",
        "#if($x == null)x#end",
        "$l.get($foreach.index + 1)",
        "$l.get(-$x)",
        "$l[$x - 1]",
        "$l.add((1))",
        "$l.add(!$x)",
        "$l.add(not $x)",
        "#set($x = [$a + 1])",
        "#set($x = [1, 2 * 3])",
        "#set($x = {'a': $b && $c})",
        "#foreach($x in [1..$n - 1])#end",
        "#foreach($x in ($list))#end",
        "#end",
        "#macro()#end",
        "#define($x.y)#end",
    ] {
        assert!(matches!(Template::parse(template), Err(TemplateError::Invalid(_))), "{template}");
    }
    let unknown = [
        ("#parse('x')", "#parse"),
        ("#include('x')", "#include"),
        ("#@box()x#end", "#@"),
        ("$util.nothing('x')", "$util.nothing()"),
        ("$util.time", "$util.time"),
        ("$input.bodie", "$input.bodie"),
        ("$input.json('$.a.sum()')", "sum()"),
        ("$input.json(\"$.a.sum()\")", "sum()"),
        ("$x.frobnicate()", ".frobnicate()"),
        ("$x.replaceAll('a(?=b)', '')", "a(?=b)"),
    ];
    for (template, named) in unknown {
        match Template::parse(template) {
            Err(TemplateError::Unsupported(what)) => assert!(what.contains(named), "{template}: {what}"),
            other => panic!("{template}: {other:?}"),
        }
    }
    for endless in [
        "#if(true)".repeat(100),
        format!("#set($x = 1{})", "+1".repeat(10_000)),
        "x".repeat(301 * 1024),
        format!("#set($x = {}1)", "!".repeat(10_000)),
    ] {
        assert!(matches!(Template::parse(&endless), Err(TemplateError::Invalid(_))));
    }
}
