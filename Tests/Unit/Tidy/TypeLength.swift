/// The number of lines of one type in one target: its declaration and all its extensions in this target, in any file.
struct TypeLength: Equatable, Sendable, CustomStringConvertible {
    let target: String
    let type: String
    let lineCount: Int

    var description: String {
        "\(target): \(type) has \(lineCount) lines with its extensions, more than \(ShapeLimit.typeLines): give a part "
            + "of it that has data of its own a type of its own"
    }
}

/// The types of the programs and libraries that are longer than `ShapeLimit.typeLines`, sorted by target and name.
///
/// A type nested in another one counts for the outer one, also where an extension names both (`extension A.B`). An
/// extension of another target's type counts in the target of the extension.
func longTypes(in files: [SourceFile]) -> [TypeLength] {
    var lineCounts: [String: [String: Int]] = [:]
    for file in files where file.path.hasPrefix("Sources/") {
        for (type, lineCount) in typeDeclarations(in: file) {
            lineCounts[file.target, default: [:]][type, default: 0] += lineCount
        }
    }
    return lineCounts.flatMap { target, types in
        types.map { TypeLength(target: target, type: $0.key, lineCount: $0.value) }
    }
    .filter { $0.lineCount > ShapeLimit.typeLines }
    .sorted { ($0.target, $0.type) < ($1.target, $1.type) }
}

/// Each number of lines includes comments. Only types and extensions at the first column count.
private func typeDeclarations(in file: SourceFile) -> [(type: String, lineCount: Int)] {
    let start = /^(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+\s+)*(?:struct|class|enum|actor|protocol|extension)\s+(\w+)/
    return file.lines(with: ["struct", "class", "enum", "actor", "protocol", "extension"]).compactMap { line in
        guard let match = file.code[line].prefixMatch(of: start) else { return nil }
        let isOneLine = file.code[line].contains("{") && file.code[line].hasSuffix("}")
        let end = isOneLine ? line : file.code[line...].firstIndex { $0.hasPrefix("}") }
        return end.map { (String(match.1), $0 - line + 1) }
    }
}
