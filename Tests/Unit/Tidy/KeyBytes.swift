/// Keys and paths are bytes. `String` works on grapheme clusters: it does not find a slash that a combining mark
/// follows, and it treats names of different files as equal. Therefore code splits and compares keys by `utf8` or as
/// `ObjectKey`.
///
/// The rule cannot see types, so it looks at names such as `key`, `prefix`, `path` and `directory`.
let keyBytesRule = Rule(
    name: "Keys and paths are taken apart and compared by bytes",
    broken: [
        sample("Sources/A/B.swift", "for part in key.split(separator: \"/\") {}"),
        sample("Sources/A/B.swift", "guard record.key.hasPrefix(device.prefix) else { return }"),
        sample("Sources/A/B.swift", "let path = directory.path.hasSuffix(\"/\") ? a : b"),
        sample("Sources/A/B.swift", "let names = sourcePath.components(separatedBy: \"/\")"),
        sample("Sources/A/B.swift", "let slash = path.lastIndex(of: \"/\")"),
        sample("Sources/A/B.swift", "let end = wholeKey.lastIndex(of: \"/\")"),
        sample("Sources/A/B.swift", "if record.key == facts.name { return }"),
        sample("Sources/A/B.swift", "if first?.key == key { return }"),
        sample("Sources/A/B.swift", "case .file(let key, _) where key == self.key:"),
        sample("Sources/A/B.swift", "uploads.filter { $0.key != key }"),
        sample("Sources/A/B.swift", "if prefix != usualPrefix { write(prefix) }"),
        sample("Sources/A/B.swift", "guard a == other.key, b else { return }"),
    ],
    followed: [
        sample("Sources/A/B.swift", "for part in key.utf8.split(separator: slash) {}"),
        sample("Sources/A/B.swift", "guard key.hasPrefix(prefix.utf8), path.isAbsolutePath else { return }"),
        sample("Sources/A/B.swift", "if key == nil || key != nil { keys.removeAll() }"),
        sample("Sources/A/B.swift", "// Both are ObjectKey.\nif first.key == second.key { return }"),
        sample("Sources/A/B.swift", "let words = line.split(separator: \" \"), isKey = name == \"key\""),
        sample("Sources/A/B.swift", "if $0.key == number || publicKey == other { return }"),
        sample("Tests/A/B.swift", "#expect(record.key == key && key.hasPrefix(\"a\"))"),
    ],
    check: { file in
        guard !file.isTest else { return [] }
        let takenApart = file.findings(in: file.lines(with: textOperations)) { line in
            let code = file.code[line]
            guard code.contains(takesKeyApart), !code.contains(/utf8|bytes/) else { return nil }
            return "a key or path is bytes: work on its utf8, or make it an ObjectKey"
        }
        let compared = file.findings(in: file.lines(with: keyNames)) { line in
            let code = file.code[line]
            guard code.contains(comparesKey) || code.contains(comparesWithKey), !file.isExplained(line: line) else {
                return nil
            }
            return "String compares what Unicode holds equal: use hasSameBytes(as:), or say that it is an ObjectKey"
        }
        return takenApart + compared
    })

private let textOperations: Set<String> = [
    "split", "components", "hasPrefix", "hasSuffix", "firstIndex", "lastIndex", "lowercased", "uppercased",
]
private let keyNames: Set<String> = ["key", "wholeKey", "objectKey", "lastKey", "nextKey", "prefix", "keyPrefix"]

// Created at each use, because a regular expression is not Sendable. Unicode's word boundaries do not work here: there
// is none at the full stop in `record.key`.
private var takesKeyApart: Regex<Substring> {
    #/
    (?:[kK]ey|[pP]refix|[pP]ath|[dD]irectory)[?!]?
    \.(?:split|components|hasPrefix|hasSuffix|firstIndex|lastIndex|lowercased|uppercased)\(
    /#
}

private var comparesKey: Regex<Substring> {
    /\b(?:key|wholeKey|objectKey|lastKey|nextKey|prefix|keyPrefix)\b [=!]= (?!nil\b|number\b)/
        .wordBoundaryKind(.simple)
}

private var comparesWithKey: Regex<Substring> {
    /[=!]= (?:[\w$]+[?!]?\.)*(?:key|wholeKey|objectKey|lastKey|nextKey|prefix|keyPrefix)\b(?![.(])/
        .wordBoundaryKind(.simple)
}
