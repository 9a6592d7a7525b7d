/// Finds the name that a person probably meant.
package enum NearestName {
    /// The name that is nearest to a word, or `nil` if none is similar.
    package static func of(_ word: String, among names: [String]) -> String? {
        // The distance takes time that grows with the product of the lengths.
        let lengthMax = 64
        guard word.utf8.count <= lengthMax else { return nil }
        let distances = names.map { (name: $0, distance: distance(word, $0)) }
        guard let nearest = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return nearest.distance <= max(2, word.count / 4) ? nearest.name : nil
    }

    /// The edit distance of two words: how many letters have to be inserted, deleted, replaced or swapped with a
    /// neighbour to get from one word to the other.
    package static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var rows = [Array(0...right.count)]
        for (i, a) in left.enumerated() {
            var row = [i + 1]
            for (j, b) in right.enumerated() {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a == b ? 0 : 1))
                if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[left.count][right.count]
    }
}
