package import TransferCommon

/// The pattern from which the key of a file is computed once, when the file is first seen.
///
/// Fields in braces stand for: `relative` the path below the folder, `name` the name, `stem` and `ext` the name before
/// and after its last full stop, `device` the device's name, `yyyy`, `mm`, `dd` and `HH` the modification time in UTC.
package struct KeyTemplate: Hashable, Sendable {
    private enum Piece: Hashable {
        case literal([UInt8])
        case relative, name, stem, ext, device, year, month, day, hour
    }

    /// The reason why a pattern is refused, a sentence for the person who wrote it.
    package struct Refusal: Error, Hashable, Sendable {
        package let message: String

        package init(_ message: String) {
            self.message = message
        }
    }

    private let pieces: [Piece]

    /// - Parameter pattern: for example `{device}/{yyyy}/{mm}/{relative}`.
    package init(_ pattern: String) throws(Refusal) {
        var pieces: [Piece] = []
        var rest = Array(pattern.utf8)[...]
        while let first = rest.first {
            if first == UInt8(ascii: "{") {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    throw Refusal("the key pattern has a { without }")
                }
                let field = String(decoding: rest[(rest.startIndex + 1)..<end], as: UTF8.self)
                guard let piece = Self.field(field) else {
                    // The message stays short, whatever the pattern is.
                    let shown = String(decoding: field.utf8.prefix(32), as: UTF8.self)
                    throw Refusal(
                        "the key pattern has the unknown field {\(shown)}; known are {relative}, {name}, {stem}, "
                            + "{ext}, {device}, {yyyy}, {mm}, {dd} and {HH}")
                }
                pieces.append(piece)
                rest = rest[(end + 1)...]
            } else {
                let literal = rest.prefix { $0 != UInt8(ascii: "{") }
                guard !literal.contains(UInt8(ascii: "}")) else {
                    throw Refusal("the key pattern has a } without {")
                }
                pieces.append(.literal(Array(literal)))
                rest = rest[literal.endIndex...]
            }
        }
        guard !pieces.isEmpty else { throw Refusal("the key pattern is empty") }
        self.pieces = pieces
    }

    /// Whether the keys of two files of one directory differ by a part of their names.
    package var tellsFilesApart: Bool { !Set(pieces).isDisjoint(with: [.relative, .name, .stem]) }

    /// The pattern of the same keys with this text before each of them.
    package func prefixed(_ prefix: String) -> KeyTemplate {
        prefix.isEmpty ? self : KeyTemplate(pieces: [.literal(Array(prefix.utf8))] + pieces)
    }

    /// The path below the folder.
    package static let relative = KeyTemplate(pieces: [.relative])

    /// The name of the file, whatever its directory.
    package static let name = KeyTemplate(pieces: [.name])

    private init(pieces: [Piece]) {
        self.pieces = pieces
    }

    private static func field(_ name: String) -> Piece? {
        switch name {
        case "relative": .relative
        case "name": .name
        case "stem": .stem
        case "ext": .ext
        case "device": .device
        case "yyyy": .year
        case "mm": .month
        case "dd": .day
        case "HH": .hour
        default: nil
        }
    }

    /// The key of a file. Throws for a file whose key the rules for keys do not allow.
    package func key(of path: ItemPath, modified: ModificationTime, device: String) throws(Refusal) -> ObjectKey {
        if pieces == [.relative] { return try Self.valid(path.bytes) }
        let name = path.name
        let stop = name.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > name.startIndex ? $0 : nil } ?? name.endIndex
        let (days, second) = modified.seconds.floored(by: 86_400)
        let date = CivilDay(daysSince1970: days)
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let text): bytes += text
            case .relative: bytes += path.bytes
            case .name: bytes += name
            case .stem: bytes += name[..<stop]
            case .ext: bytes += name[stop...].dropFirst()
            case .device: bytes += Array(device.utf8)
            case .year: bytes += Self.digits(date.year, 4)
            case .month: bytes += Self.digits(date.month, 2)
            case .day: bytes += Self.digits(date.day, 2)
            case .hour: bytes += Self.digits(second / 3_600, 2)
            }
        }
        return try Self.valid(bytes)
    }

    /// The gateway checks the same rules. Here they keep a file that it would refuse from being sent.
    private static func valid(_ bytes: [UInt8]) throws(Refusal) -> ObjectKey {
        let key: ObjectKey
        do {
            key = try ObjectKey(validating: bytes)
        } catch {
            throw Refusal(error.description)
        }
        do {
            _ = try KeyRule.wholeKey(prefix: "", key: key.text)
        } catch {
            throw Refusal(error.message)
        }
        return key
    }

    private static func digits(_ value: Int64, _ count: Int) -> [UInt8] {
        let text = Array(String(value.magnitude).utf8)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(count - text.count, 0))
        return (value < 0 ? [UInt8(ascii: "-")] : []) + zeros + text
    }
}
