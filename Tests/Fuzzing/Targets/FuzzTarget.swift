/// One place where bytes from outside come in: runs the shipped code over any bytes and looks at what must hold.
package struct FuzzTarget: Sendable {
    /// Also the name of its folders of inputs.
    package let name: String
    /// Longer inputs find nothing that shorter ones do not, and take longer.
    package let inputBytesMax: Int
    /// Throws a `FuzzFinding` where something does not hold that must; traps where the code under test does.
    package let check: @Sendable (_ input: [UInt8]) throws -> Void
    /// Where the search begins, by names of files: the golden vectors and hand-made courses, in the target's form.
    package let seeds: @Sendable (Vectors) throws -> [String: [UInt8]]
}

extension FuzzTarget {
    /// Every target, in the order in which they are run.
    package static let all: [FuzzTarget] = [.decoder, .gateway, .token, .keys, .xml, .devices, .receipt, .journal]

    /// The target of this name.
    package static func named(_ name: String) -> FuzzTarget? {
        all.first { $0.name == name }
    }
}

/// Something that must hold and did not, for one input.
package struct FuzzFinding: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// - Throws: a finding where the condition does not hold.
func expect(_ condition: Bool, _ description: @autoclosure () -> String) throws(FuzzFinding) {
    guard condition else { throw FuzzFinding(description()) }
}
