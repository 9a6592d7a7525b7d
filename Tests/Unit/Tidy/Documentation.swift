/// Checks without a parser that types, global functions, and members that other targets see have a documentation
/// comment. A reviewer has to judge whether the comment says more than the name.
///
/// The rule skips nested types, members that only their target sees, and implementations of protocol requirements,
/// which are documented in the protocol. A `//` comment directly above a type, with the theory of its file, also
/// counts.
let documentationRule = Rule(
    name: "Types, global functions, and members that other targets see have a documentation comment",
    broken: [
        sample("Sources/A/B.swift", "package struct Part {\n}"),
        sample("Sources/A/B.swift", "enum Kind {\n}"),
        sample("Sources/A/B.swift", "// MARK: Machine\nfinal class Machine {\n}"),
        sample("Sources/A/B.swift", "/// Something else.\n\nfinal class Machine {\n}"),
        sample("Sources/A/B.swift", "// Not for documentation.\nfunc send() {\n}"),
        sample("Sources/A/B.swift", "func hexadecimal(_ x: Int) -> String {\n}"),
        sample("Sources/A/B.swift", "/// A part.\nstruct Part {\n    package mutating func receive() {\n    }\n}"),
        sample("Sources/A/B.swift", "/// A part.\nstruct Part {\n    package enum Kind {\n    }\n}"),
    ],
    followed: [
        sample("Sources/A/B.swift", "/// A part.\n@frozen\npackage struct Part {\n}"),
        sample("Sources/A/B.swift", "/** A part. */\npackage struct Part {\n}"),
        sample("Sources/A/B.swift", "private struct Part {\n    func f() {\n    }\n}\nfileprivate enum Kind {\n}"),
        sample("Sources/A/B.swift", "// The theory of operation.\nfinal class Machine {\n    enum Phase {\n    }\n}"),
        sample("Sources/A/B.swift", "struct Push: AsyncParsableCommand {\n    // Has an abstract.\n}"),
        sample("Sources/A/B.swift", "private struct Part {\n    struct Inner {\n    }\n}"),
        sample(
            "Sources/A/B.swift", "extension Part {\n    package static func == (a: Part, b: Part) -> Bool {\n    }\n}"),
        sample("Sources/A/B.swift", "extension Part {\n    package func channelRead(context: Context) {\n    }\n}"),
        sample("Tests/ATests/B.swift", "@Suite struct PartTests {\n    @Test func isSent() {\n    }\n}"),
    ],
    check: { file in
        guard !file.isTest else { return [] }
        var depthOfPrivate: Int?
        return file.findings(in: file.lines(with: Declaration.keywords)) { line in
            let code = file.code[line]
            let depth = code.utf8.prefix { $0 == UInt8(ascii: " ") }.count
            if let outer = depthOfPrivate, depth > outer { return nil }
            depthOfPrivate = nil
            guard let declaration = Declaration(code) else { return nil }
            if declaration.isPrivate {
                if declaration.isType { depthOfPrivate = depth }
                return nil
            }
            guard depth == 0 || declaration.isPackageOrPublic, !declaration.isWitness,
                !isDocumented(declaration, line: line, in: file)
            else { return nil }
            return "\(declaration.name) has no documentation comment: say with /// what its name does not "
                + "(shapes, units, errors, who calls it when)"
        }
    })

private struct Declaration {
    let name: String
    let isType: Bool
    let isPrivate: Bool
    let isPackageOrPublic: Bool

    /// Whether the declaration implements a requirement of a protocol, which documents it. For a command the `abstract`
    /// is the documentation.
    let isWitness: Bool

    static let keywords: Set<String> = ["struct", "class", "enum", "actor", "protocol", "func"]

    init?(_ code: String) {
        let attributes = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*/
        let pattern = /^((?:[a-z]+(?:\(\w+\))?\s+)*)(struct|class|enum|actor|protocol|func)\s+([^\s(<:]+)/
        guard let match = code.trimmingPrefix(attributes).firstMatch(of: pattern) else { return nil }
        let modifiers = match.1.split(separator: " ")
        name = String(match.3)
        isType = match.2 != "func"
        isPrivate = modifiers.contains("private") || modifiers.contains("fileprivate")
        isPackageOrPublic = modifiers.contains("package") || modifiers.contains("public")
        isWitness =
            name.first?.isLetter != true || Self.witnesses.contains(name) || protocolRequirements.contains(name)
            || code.contains("Parsable")
    }

    private static let witnesses: Set<String> = [
        "AsyncIterator", "Iterator", "hash", "encode", "next", "makeIterator", "makeAsyncIterator", "run", "validate",
        "index",
        "handlerAdded", "handlerRemoved", "channelRegistered", "channelUnregistered", "channelActive",
        "channelInactive",
        "channelRead", "channelReadComplete", "channelWritabilityChanged", "userInboundEventTriggered", "errorCaught",
        "register", "bind", "connect", "write", "flush", "read", "close", "triggerUserOutboundEvent", "decode",
        "decodeLast",
    ]
}

private func isDocumented(_ declaration: Declaration, line: Int, in file: SourceFile) -> Bool {
    var above = line - 1
    while above >= 0, file.code[above].contains(/^\s*(@|#if )/) {
        above -= 1
    }
    guard above >= 0, file.isOnlyComment(line: above) else { return false }
    let comment = file.lines[above]
    return comment.contains(/^\s*\/\/\/|\*\/\s*$/) || (declaration.isType && !comment.contains("MARK:"))
}
