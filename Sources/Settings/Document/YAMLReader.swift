/// Reads the part of YAML that settings need: one document of maps, lists and values. Anchors, aliases and tags are
/// refused, because a value should stand where it counts.
struct YAMLReader: ~Copyable {
    private var parser: YAMLParser
    private var offsets: ScalarOffsets
    private var nodeCount = 0

    /// Reads a whole file. A file without a value is an empty map.
    static func read(_ bytes: [UInt8]) throws(DocumentError) -> SettingNode {
        if let line = Self.lineThatIsNotUTF8(bytes) { throw DocumentError(line: line, reason: "it is not UTF-8") }
        var reader = YAMLReader(bytes)
        return try reader.document()
    }

    private init(_ bytes: [UInt8]) {
        // libyaml would count a byte order mark as a character of the first line, and so misread its indentation.
        let mark = Array("\u{FEFF}".utf8)
        let skipped = bytes.starts(with: mark) ? mark.count : 0
        parser = YAMLParser(Array(bytes.dropFirst(skipped)))
        offsets = ScalarOffsets(bytes, start: skipped)
    }

    private static func lineThatIsNotUTF8(_ bytes: [UInt8]) -> Int? {
        guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
        // A line feed is never part of another character, so each line can be checked alone.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0) + 1
    }

    private mutating func document() throws(DocumentError) -> SettingNode {
        var event = try parser.next()
        if case .streamStart = event.kind { event = try parser.next() }
        guard case .documentStart = event.kind else { return SettingNode(.map([]), line: 1) }
        let root = try node(try parser.next(), depth: 0)
        event = try parser.next()
        if case .documentEnd = event.kind { event = try parser.next() }
        guard case .streamEnd = event.kind else {
            throw DocumentError(line: event.line, reason: "a second document begins; a settings file has one")
        }
        // A document of comments alone has this value.
        if case .scalar(let scalar) = root.value, scalar.kind == .null { return SettingNode(.map([]), line: root.line) }
        return root
    }

    private mutating func node(_ event: YAMLEvent, depth: Int) throws(DocumentError) -> SettingNode {
        try check(event)
        nodeCount += 1
        guard nodeCount <= DocumentLimits.nodesMax else { throw .tooManyNodes(line: event.line) }
        switch event.kind {
        case .scalar(let text, let isQuoted):
            let range = offsets.bytes(of: event.scalars)
            let kind = isQuoted ? .text : SettingScalar.Kind(plain: text)
            return SettingNode(.scalar(SettingScalar(text: text, kind: kind, range: range)), line: event.line)
        case .listStart:
            guard depth < DocumentLimits.depthMax else { throw .tooDeep(line: event.line) }
            return SettingNode(.list(try elements(depth)), line: event.line)
        default:
            guard depth < DocumentLimits.depthMax else { throw .tooDeep(line: event.line) }
            return SettingNode(.map(try entries(depth)), line: event.line)
        }
    }

    private func check(_ event: YAMLEvent) throws(DocumentError) {
        if case .alias = event.kind {
            throw DocumentError(
                line: event.line, reason: "a value begins with *, which is an alias in YAML; write it in quotes")
        }
        guard !event.hasAnchor else {
            throw DocumentError(
                line: event.line, reason: "a value begins with &, which is an anchor in YAML; write it in quotes")
        }
        guard !event.hasTag else {
            throw DocumentError(
                line: event.line, reason: "a value begins with !, which is a tag in YAML; write it in quotes")
        }
    }

    private mutating func elements(_ depth: Int) throws(DocumentError) -> [SettingNode] {
        var elements: [SettingNode] = []
        while true {
            let event = try parser.next()
            if case .listEnd = event.kind { return elements }
            elements.append(try node(event, depth: depth + 1))
        }
    }

    private mutating func entries(_ depth: Int) throws(DocumentError) -> [SettingEntry] {
        var entries: [SettingEntry] = []
        while true {
            let event = try parser.next()
            if case .mapEnd = event.kind { return entries }
            try check(event)
            guard case .scalar(let key, _) = event.kind else {
                throw DocumentError(line: event.line, reason: "a key is a list or a map; write it as text in quotes")
            }
            let value = try node(try parser.next(), depth: depth + 1)
            entries.append(SettingEntry(key: key, line: event.line, value: value))
        }
    }
}

/// Finds the bytes of a file at a position that libyaml counts in Unicode scalars. The positions may only grow.
private struct ScalarOffsets {
    private let bytes: [UInt8]
    private var scalars = 0
    private var offset: Int

    /// - Parameter start: the place of the first scalar.
    init(_ bytes: [UInt8], start: Int) {
        self.bytes = bytes
        self.offset = start
    }

    mutating func bytes(of range: Range<Int>) -> Range<Int> {
        let start = byte(at: range.lowerBound)
        return start..<max(start, byte(at: range.upperBound))
    }

    private mutating func byte(at scalar: Int) -> Int {
        while scalars < scalar, offset < bytes.count {
            offset += 1
            while offset < bytes.count, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
            scalars += 1
        }
        return offset
    }
}
