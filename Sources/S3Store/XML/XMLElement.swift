/// One element of an XML document. Attributes, comments and processing instructions are not kept, because no answer of
/// a store needs them.
package struct XMLElement: Equatable, Sendable {
    /// The name without its namespace prefix.
    package var name: String
    /// The text directly inside the element, in the order of the document. The text of child elements is not part of
    /// it.
    package var text: String
    package var children: [XMLElement]

    package init(_ name: String, text: String = "", children: [XMLElement] = []) {
        self.name = name
        self.text = text
        self.children = children
    }

    /// The first child with this name.
    package func child(_ name: String) -> XMLElement? {
        children.first { $0.name == name }
    }

    /// The text of the first child with this name, exactly as in the document; `nil` if there is no such child.
    package func text(of name: String) -> String? {
        child(name)?.text
    }

    /// The text of the first child with this name, without white space around it: some stores write each value on a
    /// line of its own. `nil` if there is no such child.
    package func value(of name: String) -> String? {
        child(name).map { String($0.text.unicodeScalars.trimmingXMLSpace) }
    }
}

extension String.UnicodeScalarView {
    fileprivate var trimmingXMLSpace: Substring.UnicodeScalarView {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { [" ", "\t", "\n", "\r"].contains(scalar) }
        let tail = drop(while: isSpace)
        guard let last = tail.lastIndex(where: { !isSpace($0) }) else { return tail }
        return tail[...last]
    }
}
