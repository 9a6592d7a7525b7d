// The package Yams contains libyaml as this module. Its own tree of nodes does not serve here: to build it, Yams calls
// itself once for each level of nesting, follows aliases, and reports one key that is given twice without its line. The
// events of libyaml let the reader refuse all this at the line where it stands.
import CYaml

/// What libyaml finds in a file, one after the other.
struct YAMLEvent {
    enum Kind {
        case scalar(String, isQuoted: Bool)
        case listStart
        case listEnd
        case mapStart
        case mapEnd
        case documentStart
        case documentEnd
        case alias
        case streamStart
        case streamEnd
    }

    let kind: Kind
    /// Counts from 1.
    let line: Int
    /// The characters of the event in the file, counted as Unicode scalars.
    let scalars: Range<Int>
    let hasAnchor: Bool
    let hasTag: Bool
}

/// Owns a parser of libyaml.
struct YAMLParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// A copy of the file. libyaml keeps a pointer to its input.
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let isUsable: Bool

    init(_ bytes: [UInt8]) {
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(from: bytes)
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        isUsable = yaml_parser_initialize(parser) == 1
        guard isUsable else { return }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        if isUsable { yaml_parser_delete(parser) }
        parser.deinitialize(count: 1)
        parser.deallocate()
        input.deinitialize()
        input.deallocate()
    }

    /// Reads the next event. After an error or `streamEnd` no call may follow.
    mutating func next() throws(DocumentError) -> YAMLEvent {
        var event = yaml_event_t()
        guard isUsable, yaml_parser_parse(parser, &event) == 1 else { throw error }
        defer { yaml_event_delete(&event) }
        return YAMLEvent(event)
    }

    private var error: DocumentError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? ""
        // libyaml knows the position of an error, but not of bytes that it cannot decode.
        let line = Int(clamping: max(parser.pointee.problem_mark.line, parser.pointee.mark.line))
        return DocumentError(line: line + 1, reason: YAMLProblem.reason(of: problem))
    }
}

extension YAMLEvent {
    fileprivate init(_ event: yaml_event_t) {
        line = Int(clamping: event.start_mark.line) + 1
        let start = Int(clamping: event.start_mark.index)
        scalars = start..<max(start, Int(clamping: event.end_mark.index))
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: Int(clamping: scalar.length)), as: UTF8.self)
            kind = .scalar(text, isQuoted: scalar.style != YAML_PLAIN_SCALAR_STYLE)
            (hasAnchor, hasTag) = (scalar.anchor != nil, scalar.tag != nil)
        case YAML_SEQUENCE_START_EVENT:
            kind = .listStart
            (hasAnchor, hasTag) = (event.data.sequence_start.anchor != nil, event.data.sequence_start.tag != nil)
        case YAML_MAPPING_START_EVENT:
            kind = .mapStart
            (hasAnchor, hasTag) = (event.data.mapping_start.anchor != nil, event.data.mapping_start.tag != nil)
        default:
            kind =
                switch event.type {
                case YAML_SEQUENCE_END_EVENT: .listEnd
                case YAML_MAPPING_END_EVENT: .mapEnd
                case YAML_DOCUMENT_START_EVENT: .documentStart
                case YAML_DOCUMENT_END_EVENT: .documentEnd
                case YAML_ALIAS_EVENT: .alias
                case YAML_STREAM_START_EVENT: .streamStart
                default: .streamEnd
                }
            (hasAnchor, hasTag) = (false, false)
        }
    }
}

/// Says in plain words what libyaml reports.
enum YAMLProblem {
    static func reason(of problem: String) -> String {
        // libyaml may reach a limit of its own before the reader counts the levels, because it looks ahead for keys.
        guard !problem.utf8.starts(with: "Maximum nesting level reached".utf8) else {
            return DocumentError.tooDeep(line: 1).reason
        }
        let words =
            switch problem {
            case "mapping values are not allowed in this context":
                "a colon stands where no key may be; check the indentation, and write a value with a colon in quotes"
            case "found character that cannot start any token":
                "a value cannot begin with this character; write it in quotes, and indent with spaces, not with tabs"
            case "found a tab character that violates indentation",
                "found a tab character where an indentation space is expected":
                "a tab cannot indent YAML; write spaces"
            case "could not find expected ':'":
                "a key is not followed by a colon and a space"
            case "did not find expected key", "did not find expected '-' indicator":
                "the indentation is wrong, or a value needs quotes"
            case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
                "a list in brackets or a map in braces is not closed, or a comma is missing"
            case "found unexpected end of stream", "found unexpected document indicator":
                "a quote is not closed"
            case "found unknown escape character", "found invalid Unicode character escape code",
                "did not find expected hexdecimal number":
                "a backslash in double quotes is followed by what is no escape; single quotes take it as it is"
            case "control characters are not allowed", "invalid Unicode character":
                "it contains a control character; in double quotes it is written as \\x and two digits"
            case "block sequence entries are not allowed in this context":
                "a list begins in the line of its key; begin it in the next line"
            case "did not find expected node content", "did not find expected <document start>":
                "a value is missing, or it needs quotes"
            default:
                "it cannot be understood from here on"
            }
        return "this is not YAML: \(words)"
    }
}
