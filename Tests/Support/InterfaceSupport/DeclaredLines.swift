package import CommandSupport
import Foundation

/// Compares lines of JSON with the declarations of the program that printed them.
extension ProgramInterface {
    /// What is wrong with lines that a command has printed; empty if each line is an object as declared.
    ///
    /// - Parameter command: the command as the declarations name it, such as `receipts list`.
    package func problems(in lines: some Sequence<String>, of command: String) -> [String] {
        let declarations = objects(of: command)
        return lines.flatMap { line in
            Self.problems(in: line, declarations).map { "\(name) \(command): \($0) in \(line)" }
        }
    }

    /// The events of all lines, in order. A line that is no object has the event `""`.
    package static func events(of lines: some Sequence<String>) -> [String] {
        lines.map { fields(of: $0)?["event"]?.text ?? "" }
    }

    private static func problems(in line: String, _ declarations: [JSONObjectDeclaration]) -> [String] {
        guard line.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            return ["a control character"]
        }
        // try?: a line that is no object is a problem, which the caller reports.
        guard (try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any], var fields = fields(of: line)
        else { return ["no object"] }
        guard let event = fields.removeValue(forKey: "event")?.text,
            let declaration = declarations.first(where: { $0.event == event })
        else { return ["no declared event"] }
        var problems: [String] = []
        for (name, field) in declaration.fields {
            switch fields.removeValue(forKey: name) {
            case nil where field.condition == nil: problems.append("\(name) is missing")
            case let value? where !value.fits(field.kind): problems.append("\(name) is no \(field.kind.words)")
            default: break
            }
        }
        return problems + fields.keys.sorted().map { "\($0) is not declared" }
    }

    private static func fields(of line: String) -> [String: ReadValue]? {
        // try?: the caller reports a line that cannot be decoded.
        try? JSONDecoder().decode([String: ReadValue].self, from: Data(line.utf8))
    }
}

/// A value of a JSON object as a program reads it.
private enum ReadValue: Decodable {
    case boolean(Bool)
    case integer(UInt64)
    case number(Double)
    case text(String)
    case texts([String])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // try?: the value is of another kind, and the next kind is tried.
        if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(UInt64.self) {  // try?: as above.
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {  // try?: as above.
            self = .number(value)
        } else if let value = try? container.decode(String.self) {  // try?: as above.
            self = .text(value)
        } else {
            self = .texts(try container.decode([String].self))
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }

    func fits(_ kind: JSONField.Kind) -> Bool {
        switch (kind, self) {
        case (.string, .text), (.integer, .integer), (.boolean, .boolean), (.strings, .texts),
            (.seconds, .integer), (.seconds, .number):
            true
        case (.word(let words), .text(let word)): words.contains(word)
        case (.base64, .text(let text)): Data(base64Encoded: text) != nil
        case (.time, .text(let text)):
            text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z/) != nil
        default: false
        }
    }
}
