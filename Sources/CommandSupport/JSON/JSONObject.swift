import TransferCommon

/// The fields of a kind of JSON objects, as an enumeration. Its raw values are the names in the output. The declaration
/// of each field is what the page about interfaces shows; a field without one cannot be written.
package protocol JSONFields: RawRepresentable<String>, CaseIterable, Hashable, Sendable {
    /// The value of the field `event`, which every object has as its first one.
    static var event: String { get }
    /// When a program prints such an object, as a sentence.
    static var meaning: String { get }
    var declaration: JSONField { get }
}

/// A JSON object whose fields are declared. Both programs write all their JSON with this type.
package struct JSONObject<Fields: JSONFields>: Equatable, Sendable {
    private var values: [Fields: JSONValue] = [:]

    package init() {}

    /// - Parameter values: the fields with their values; a field with the value `nil` is left out.
    package init(_ values: KeyValuePairs<Fields, JSONValue?>) {
        for (field, value) in values { self.values[field] = value }
    }

    /// The value of a field; `nil` if the object does not have the field.
    package subscript(field: Fields) -> JSONValue? {
        get { values[field] }
        set { values[field] = newValue }
    }

    /// The object on one line without the line feed. The fields stand in the order of their declaration. Control
    /// characters, and others that could act on a terminal, are written as `\uXXXX`.
    package var line: String {
        var text = "{\"event\":" + JSONText.quoted(Fields.event)
        for field in Fields.allCases {
            guard let value = values[field] else { continue }
            text += "," + JSONText.quoted(field.rawValue) + ":" + JSONText.of(value)
        }
        return text + "}"
    }
}

/// What the page about interfaces says about a kind of JSON objects, and the commands that print it.
package struct JSONObjectDeclaration: Sendable {
    package let event: String
    package let meaning: String
    package let fields: [(name: String, field: JSONField)]
    /// The commands without the name of their program, such as `receipts list`.
    package let commands: [String]

    package init<Fields: JSONFields>(_ fields: Fields.Type, of commands: String...) {
        self.event = fields.event
        self.meaning = fields.meaning
        self.fields = fields.allCases.map { ($0.rawValue, $0.declaration) }
        self.commands = commands
    }
}
