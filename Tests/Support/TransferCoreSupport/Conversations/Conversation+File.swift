import FoundationEssentials
import RepositoryFiles
import TransferCommon
import WireProtocol

extension Conversation {
    /// The error for a line that violates the format in the specification.
    package struct Malformed: Error, CustomStringConvertible {
        package let line: String

        package var description: String { "not a line of a conversation: \(line.prefix(120))" }
    }

    /// All conversations of `Protocol/vectors/conversations.txt`, in order.
    package static func all() throws -> [Conversation] {
        let text = try RepositoryFiles.text(of: "Protocol/vectors/conversations.txt")
        var conversations: [Conversation] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let columns = pieces(of: String(line), separatedBy: " | ")
            if columns[0] == "conversation" {
                conversations.append(try Conversation(heading: columns, lines: []))
            } else if let last = conversations.popLast() {
                let lines = last.lines + [try Line(columns)]
                conversations.append(
                    Conversation(name: last.name, side: last.side, sentence: last.sentence, lines: lines))
            } else {
                throw Malformed(line: String(line))
            }
        }
        return conversations
    }

    private init(heading columns: [String], lines: [Line]) throws {
        guard columns.count == 4, let side = Side(rawValue: columns[2]) else {
            throw Malformed(line: columns.joined(separator: " | "))
        }
        self.init(name: columns[1], side: side, sentence: columns[3], lines: lines)
    }

    fileprivate static func pieces(of line: String, separatedBy separator: String) -> [String] {
        var pieces: [String] = []
        var rest = line[...]
        while let range = rest.firstRange(of: separator) {
            pieces.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return pieces + [String(rest)]
    }
}

extension Conversation.Line {
    fileprivate init(_ columns: [String]) throws {
        let malformed = Conversation.Malformed(line: columns.joined(separator: " | "))
        let number = columns.count > 1 ? Int(columns[1]) : nil
        switch (columns[0], columns.count, number) {
        case ("store", 3, _):
            self = .store(try Conversation.StoreEvent(columns[1], LineFields(columns[2])))
        case ("connect", 2, let connection?):
            self = .connect(connection: connection)
        case ("A→G", 5, let connection?), ("G→A", 5, let connection?):
            guard let type = FrameType.allCases.first(where: { $0.description == columns[2] }),
                let bytes = bytesOfHexadecimal(columns[3])
            else { throw malformed }
            self = .frame(
                Conversation.FrameLine(
                    sender: columns[0] == "A→G" ? .agent : .gateway, connection: connection, type: type, bytes: bytes,
                    fields: columns[4]))
        case ("pause", 2, let milliseconds?):
            self = .pause(milliseconds: milliseconds)
        case ("close", 3, let connection?) where ["A", "G"].contains(columns[2]):
            self = .close(connection: connection, by: columns[2] == "A" ? .agent : .gateway)
        case ("restart", 1, _):
            self = .restart
        case ("drain", 2, let milliseconds?):
            self = .drain(milliseconds: milliseconds)
        case ("invitation", 2, _):
            let fields = LineFields(columns[1])
            guard let secret = InvitationSecret(bytes: try fields.bytes("secret")) else { throw malformed }
            self = .invitation(name: try fields.text("name"), prefix: try fields.text("prefix"), secret: secret)
        default:
            throw malformed
        }
    }
}

extension Conversation.StoreEvent {
    fileprivate init(_ what: String, _ fields: LineFields) throws {
        switch what {
        case "object":
            guard let session = SessionID(try fields.word("session")),
                let partBytes = UInt64(try fields.word("partBytes"))
            else { throw fields.malformed }
            let checksum = try fields.text("checksum")
            guard ["sha256", "none"].contains(checksum) else { throw fields.malformed }
            self = .object(
                Conversation.StoredObject(
                    key: try fields.text("key"), content: try fields.bytes("content"), session: session,
                    partBytes: partBytes, etag: try fields.text("etag"), keepsDigest: checksum == "sha256"))
        case "part":
            guard let part = UInt32(try fields.word("part")).flatMap({ PartNumber($0) }) else { throw fields.malformed }
            self = .part(
                part, upload: try fields.text("upload"), content: try fields.bytes("content"),
                etag: try fields.text("etag"))
        case "full": self = .full
        case "well": self = .well
        case "gone": self = .gone(upload: try fields.text("upload"))
        default: throw fields.malformed
        }
    }
}

/// The `name=value` fields of a line that is not a frame, in any order.
private struct LineFields {
    let malformed: Conversation.Malformed
    private let words: [(name: String, value: String)]

    init(_ text: String) {
        malformed = Conversation.Malformed(line: text)
        words = Conversation.pieces(of: text, separatedBy: "; ").compactMap { field in
            guard let equals = field.firstIndex(of: "=") else { return nil }
            return (String(field[..<equals]), String(field[field.index(after: equals)...]))
        }
    }

    func word(_ name: String) throws -> String {
        guard let word = words.first(where: { $0.name == name }) else { throw malformed }
        return word.value
    }

    func text(_ name: String) throws -> String {
        try JSONDecoder().decode(String.self, from: Data(try word(name).utf8))
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let word = try word(name)
        guard let bytes = word == "-" ? [] : bytesOfHexadecimal(word) else { throw malformed }
        return bytes
    }
}
