/// Reads one XML document into a tree. `Limits` bounds the memory and the depth of the tree, whatever a store answers.
///
/// A store is trusted with the data, but a proxy in front of it may answer in its place, and the answer must not end
/// the process. So the reader uses no recursion, and it refuses a document type declaration, which could define
/// entities that grow when they are expanded.
///
/// The reader accepts what stores write: white space before the document (sent to keep a connection open while the
/// store works), a byte order mark, comments, CDATA sections and any namespace prefix. It does not check what it does
/// not need: namespaces, the characters of names, and attributes beyond their quotes. Source of the grammar:
/// "Extensible Markup Language (XML) 1.0", fifth edition.
package struct XMLReader {
    /// The limits of a document's size and depth.
    package struct Limits: Sendable {
        /// Maximum depth of nested elements, including the root. S3's answers have a depth of five.
        package var depth = 32
        /// Maximum number of elements in a document. A page of 1,000 parts has about 10,000.
        package var elements = 100_000
        /// Maximum length of one element's text, in UTF-8 bytes.
        package var textBytes = 64 << 10

        package init() {}
    }

    /// Why a document cannot be read.
    package enum Failure: Error, Equatable {
        /// The bytes are not UTF-8, or not one complete XML document.
        case malformed
        /// The document declares a document type.
        case hasDocumentType
        /// The document exceeds one of the limits.
        case exceedsLimits
    }

    private struct Open {
        /// The name as in the document, with its prefix. The end tag must repeat it.
        var name: ArraySlice<UInt8>
        var text: [UInt8] = []
        var children: [XMLElement] = []
    }

    private var rest: ArraySlice<UInt8>
    private let limits: Limits
    private var open: [Open] = []
    private var elements = 0
    private var root: XMLElement?

    private init(_ bytes: [UInt8], limits: Limits) {
        self.rest = bytes[...]
        self.limits = limits
    }

    /// Reads a complete document and returns its root element.
    package static func read(_ bytes: [UInt8], limits: Limits = Limits()) throws(Failure) -> XMLElement {
        // Names and texts become Strings later, so the whole document must be UTF-8.
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .malformed }
        var reader = XMLReader(bytes, limits: limits)
        return try reader.readDocument()
    }

    /// Reads a document only as far as the start tag of its root element, which says what kind of document it is.
    ///
    /// - Returns: the name of the root element without its prefix, or `nil` if the bytes do not begin like a document.
    package static func rootName(of bytes: [UInt8]) -> String? {
        var reader = XMLReader(bytes, limits: Limits())
        reader.skipByteOrderMark()
        while reader.open.isEmpty, reader.root == nil, !reader.rest.isEmpty {
            // try?: bytes that do not begin like a document have no root, whatever is wrong with them.
            guard (try? reader.readNext()) != nil else { return nil }
        }
        return reader.root?.name ?? reader.open.first.map { reader.local($0.name) }
    }

    private mutating func readDocument() throws(Failure) -> XMLElement {
        skipByteOrderMark()
        while !rest.isEmpty { try readNext() }
        guard let root, open.isEmpty else { throw .malformed }
        return root
    }

    private mutating func readNext() throws(Failure) {
        if rest.first == UInt8(ascii: "<") {
            try readMarkup()
        } else {
            try readText()
        }
    }

    private mutating func skipByteOrderMark() {
        skipSpace()
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest.removeFirst(3) }
    }

    // MARK: Markup

    private mutating func readMarkup() throws(Failure) {
        if skip("<!--") {
            _ = try take(upTo: "-->")
        } else if skip("<![CDATA[") {
            try append(try take(upTo: "]]>"))
        } else if skip("<?") {
            _ = try take(upTo: "?>")
        } else if skip("<!") {
            throw .hasDocumentType
        } else if skip("</") {
            try readEndTag()
        } else {
            rest.removeFirst()
            try readStartTag()
        }
    }

    private mutating func readStartTag() throws(Failure) {
        guard root == nil else { throw .malformed }
        elements += 1
        guard elements <= limits.elements, open.count < limits.depth else { throw .exceedsLimits }
        open.append(Open(name: try readName()))
        while true {
            skipSpace()
            if skip("/>") { return close() }
            if skip(">") { return }
            try skipAttribute()
        }
    }

    private mutating func readEndTag() throws(Failure) {
        let name = try readName()
        skipSpace()
        guard skip(">"), let last = open.last, last.name == name else { throw .malformed }
        close()
    }

    private mutating func close() {
        guard let element = open.popLast() else { return }
        let closed = XMLElement(
            local(element.name), text: String(decoding: element.text, as: UTF8.self), children: element.children)
        if open.isEmpty {
            root = closed
        } else {
            open[open.count - 1].children.append(closed)
        }
    }

    private func local(_ name: ArraySlice<UInt8>) -> String {
        let local = name.lastIndex(of: UInt8(ascii: ":")).map { name[($0 + 1)...] } ?? name
        return String(decoding: local, as: UTF8.self)
    }

    private mutating func readName() throws(Failure) -> ArraySlice<UInt8> {
        let name = rest.prefix { byte in
            !Self.isSpace(byte) && !#"<>/="'&"#.utf8.contains(byte)
        }
        guard !name.isEmpty else { throw .malformed }
        rest = rest[name.endIndex...]
        return name
    }

    private mutating func skipAttribute() throws(Failure) {
        _ = try readName()
        skipSpace()
        guard skip("=") else { throw .malformed }
        skipSpace()
        guard let quote = rest.popFirst(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
            let end = rest.firstIndex(of: quote)
        else { throw .malformed }
        rest = rest[(end + 1)...]
    }

    // MARK: Text

    private mutating func readText() throws(Failure) {
        let text = rest.prefix { $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: "&") }
        rest = rest[text.endIndex...]
        try append(text)
        if skip("&") { try append(try readReference()) }
    }

    private mutating func readReference() throws(Failure) -> [UInt8] {
        // 16 bytes are enough for each reference that the reader accepts, even for `1114111;` with some leading zeros.
        guard let end = rest.prefix(16).firstIndex(of: UInt8(ascii: ";")) else { throw .malformed }
        let name = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[(end + 1)...]
        let scalar: Unicode.Scalar? =
            switch name {
            case "amp": "&"
            case "lt": "<"
            case "gt": ">"
            case "quot": "\""
            case "apos": "'"
            default: Self.scalar(numbered: name)
            }
        guard let scalar else { throw .malformed }
        return Array(String(Character(scalar)).utf8)
    }

    private static func scalar(numbered name: String) -> Unicode.Scalar? {
        let isHexadecimal = name.utf8.starts(with: "#x".utf8)
        guard name.utf8.first == UInt8(ascii: "#") else { return nil }
        let digits = name.utf8.dropFirst(isHexadecimal ? 2 : 1)
        // `UInt32` alone would also accept a sign.
        guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt32(String(Substring(digits)), radix: isHexadecimal ? 16 : 10).flatMap { Unicode.Scalar($0) }
    }

    /// Outside the root there may be only white space.
    private mutating func append(_ text: some Collection<UInt8>) throws(Failure) {
        guard !open.isEmpty else {
            guard text.allSatisfy(Self.isSpace) else { throw .malformed }
            return
        }
        open[open.count - 1].text.append(contentsOf: text)
        guard open[open.count - 1].text.count <= limits.textBytes else { throw .exceedsLimits }
    }

    // MARK: Bytes

    private mutating func skip(_ text: StaticString) -> Bool {
        let isNext = text.withUTF8Buffer { rest.starts(with: $0) }
        if isNext { rest.removeFirst(text.utf8CodeUnitCount) }
        return isNext
    }

    private mutating func take(upTo delimiter: StaticString) throws(Failure) -> ArraySlice<UInt8> {
        let end: Int? = delimiter.withUTF8Buffer { delimiter in
            guard let first = delimiter.first else { return nil }
            var from = rest
            while let start = from.firstIndex(of: first) {
                if from[start...].starts(with: delimiter) { return start }
                from = from[(start + 1)...]
            }
            return nil
        }
        guard let end else { throw .malformed }
        let taken = rest[..<end]
        rest = rest[(end + delimiter.utf8CodeUnitCount)...]
        return taken
    }

    private mutating func skipSpace() {
        rest = rest.drop(while: Self.isSpace)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
