/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML text to a tree of nodes, by libyaml's events.  Depth and number of
 * nodes are bounded here, before memory is spent; the scanner itself looks
 * ahead by no more than a line or 1024 characters.
 *
 * Anchors, aliases, merge keys and tags of one's own are refused: what is
 * written in a place is what is meant there.
 */
#include "ctl/config/read.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct level {
    struct node *n;
    struct node **tail; /* where the next child goes */
    struct node *key;   /* of a map: waits for its value */
};

struct builder {
    struct reader *r;
    const char *file, *text;
    size_t len;
    yaml_parser_t parser;
    struct level level[CONF_DEPTH_MAX];
    unsigned depth;
    struct node *root;
    unsigned documents;
};

/* ---- characters ---- */

struct spot {
    struct conf_pos pos;
    size_t at;
};

/* Length of the character at 'at' and its number; 0 if it is no UTF-8. */
static unsigned decode(const unsigned char *s, size_t left, uint32_t *c)
{
    unsigned n = s[0] < 0x80             ? 1
                 : (s[0] & 0xe0) == 0xc0 ? 2
                 : (s[0] & 0xf0) == 0xe0 ? 3
                 : (s[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (n == 0 || n > left)
        return 0;
    *c = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (s[i] & 0x3fU);
    }
    if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
        return 0;
    return n;
}

/* YAML 1.1, 5.1; the mark that begins a file has been taken off. */
static bool allowed(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || c == 0x85 ||
           (c >= 0x20 && c < 0x7f) ||
           (c >= 0xa0 && c != 0xfeff && c != 0xfffe && c != 0xffff);
}

static void advance(struct spot *s, const struct builder *b, unsigned n)
{
    char c = b->text[s->at];

    s->at += n;
    s->pos.column++;
    if (c == '\n' ||
        (c == '\r' && (s->at == b->len || b->text[s->at] != '\n'))) {
        s->pos.line++;
        s->pos.column = 1;
    }
}

static int check_characters(struct builder *b)
{
    struct spot s = {{b->file, 1, 1}, 0};

    while (s.at < b->len) {
        const unsigned char *at = (const unsigned char *)b->text + s.at;
        uint32_t c = 0;
        unsigned n = decode(at, b->len - s.at, &c);

        if (n == 0)
            return bad_at(b->r, &s.pos,
                          "octet 0x%02x is not UTF-8; save the file as UTF-8",
                          *at);
        if (c == 0)
            return bad_at(b->r, &s.pos,
                          "a NUL octet; the file must be text in UTF-8");
        if (!allowed(c))
            return bad_at(b->r, &s.pos,
                          "character U+%04X is not allowed in YAML", c);
        advance(&s, b, n);
    }
    return 0;
}

/* ---- what libyaml complains about ---- */

static struct conf_pos position(const struct builder *b, const yaml_mark_t *m)
{
    return (struct conf_pos){b->file, (unsigned)m->line + 1,
                             (unsigned)m->column + 1};
}

/* The mark counts characters, not octets: look at the line. */
static bool tab_indents(const struct builder *b, size_t line)
{
    const char *at = b->text, *end = b->text + b->len;

    for (; line && at; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    while (at && at < end && *at == ' ')
        at++;
    return at && at < end && *at == '\t';
}

static int parser_error(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    struct conf_pos at = position(b, &p->problem_mark);

    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(b->r);
    if (p->error == YAML_SCANNER_ERROR && tab_indents(b, p->problem_mark.line))
        return bad_at(b->r, &at,
                      "the line is indented with a tab; YAML wants blanks");
    if (p->context && p->context_mark.line != p->problem_mark.line)
        return bad_at(b->r, &at, "not YAML: %s (%s that begins in line %zu)",
                      p->problem, p->context, p->context_mark.line + 1);
    return bad_at(b->r, &at, "not YAML: %s (check the indentation)",
                  p->problem ? p->problem : "unreadable");
}

/* ---- nodes ---- */

/* A text that a name or value may not be; NULL: none. */
static const char *odd_text(const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return "contains a NUL character";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n' || c == '\r')
            return "has more than one line";
        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0))
            return "contains a control character";
    }
    return NULL;
}

static int scalar_text(struct builder *b, struct node *n,
                       const yaml_event_t *ev)
{
    size_t len = ev->data.scalar.length;
    char *text = scratch(b->r, len + 1);

    if (!text)
        return no_memory(b->r);
    memcpy(text, ev->data.scalar.value, len);
    n->text = text;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->odd = odd_text(text, len);
    return 0;
}

/* Becomes a key of the map. */
static int add_key(struct builder *b, struct level *l, struct node *n)
{
    const void *first = NULL;
    int rc;

    if (n->type != NODE_SCALAR)
        return bad_at(b->r, &n->pos, "a key must be a word");
    if (n->plain && strcmp(n->text, "<<") == 0)
        return bad_at(b->r, &n->pos,
                      "<<: merge keys are not supported; write it out");
    if (n->odd)
        return bad_at(b->r, &n->pos, "a key %s", n->odd);
    rc = names_put(b->r, l->n, n->text, n, &first);
    if (rc)
        return rc;
    n->key = n;
    if (first)
        return bad_twice(b->r, n, first);
    l->key = n;
    *l->tail = n;
    l->tail = &n->next;
    l->n->n++;
    return 0;
}

static int attach(struct builder *b, struct node *n)
{
    struct level *l = b->depth ? &b->level[b->depth - 1] : NULL;

    if (!l) {
        b->root = n;
        return 0;
    }
    if (l->n->type == NODE_LIST) {
        n->key = l->n->key;
        *l->tail = n;
        l->tail = &n->next;
        l->n->n++;
        return 0;
    }
    if (!l->key)
        return add_key(b, l, n);
    l->key->value = n;
    n->key = l->key;
    l->key = NULL;
    return 0;
}

static int new_node(struct builder *b, const yaml_event_t *ev,
                    enum node_type type, struct node **out)
{
    struct conf_pos at = position(b, &ev->start_mark);
    struct node *n;

    if (++b->r->nodes > CONF_NODES_MAX)
        return bad_at(b->r, &at, "more than %d values; this is no lab's file",
                      CONF_NODES_MAX);
    n = scratch(b->r, sizeof(*n));
    if (!n)
        return no_memory(b->r);
    n->type = type;
    n->pos = at;
    *out = n;
    return 0;
}

static int begin(struct builder *b, const yaml_event_t *ev, enum node_type type)
{
    struct node *n = NULL;
    int rc = new_node(b, ev, type, &n);

    if (rc || !n)
        return rc;
    if (b->depth == CONF_DEPTH_MAX)
        return bad_at(b->r, &n->pos, "nested more than %d deep",
                      CONF_DEPTH_MAX);
    rc = attach(b, n);
    if (rc)
        return rc;
    b->level[b->depth++] = (struct level){n, &n->first, NULL};
    return 0;
}

static int scalar(struct builder *b, const yaml_event_t *ev)
{
    struct node *n = NULL;
    int rc = new_node(b, ev, NODE_SCALAR, &n);

    if (rc || !n)
        return rc;
    rc = scalar_text(b, n, ev);
    return rc ? rc : attach(b, n);
}

/* ---- events ---- */

static int check_marks(struct builder *b, const yaml_event_t *ev,
                       const yaml_char_t *anchor, const yaml_char_t *tag)
{
    static const char ours[] = "tag:yaml.org,2002:";
    struct conf_pos at = position(b, &ev->start_mark);

    if (anchor)
        return bad_at(b->r, &at,
                      "&%s: anchors and aliases are not supported; write it "
                      "out in each place",
                      SHOW((const char *)anchor));
    if (tag && strncmp((const char *)tag, ours, sizeof(ours) - 1) != 0 &&
        strcmp((const char *)tag, "!") != 0)
        return bad_at(b->r, &at, "%s: tags are not supported",
                      SHOW((const char *)tag));
    if (tag && strcmp((const char *)tag, "tag:yaml.org,2002:binary") == 0)
        return bad_at(b->r, &at, "!!binary: write the text itself");
    return 0;
}

static int document(struct builder *b, const yaml_event_t *ev)
{
    struct conf_pos at = position(b, &ev->start_mark);

    if (b->documents++)
        return bad_at(b->r, &at,
                      "a second document begins here; a file has one");
    return 0;
}

static int event(struct builder *b, const yaml_event_t *ev)
{
    struct conf_pos at = position(b, &ev->start_mark);
    int rc;

    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return document(b, ev);
    case YAML_ALIAS_EVENT:
        return bad_at(b->r, &at,
                      "*%s: anchors and aliases are not supported; write it "
                      "out in each place",
                      SHOW((const char *)ev->data.alias.anchor));
    case YAML_SCALAR_EVENT:
        rc = check_marks(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
        return rc ? rc : scalar(b, ev);
    case YAML_SEQUENCE_START_EVENT:
        rc = check_marks(b, ev, ev->data.sequence_start.anchor,
                         ev->data.sequence_start.tag);
        return rc ? rc : begin(b, ev, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        rc = check_marks(b, ev, ev->data.mapping_start.anchor,
                         ev->data.mapping_start.tag);
        return rc ? rc : begin(b, ev, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    default:
        return 0;
    }
}

static int all_events(struct builder *b)
{
    for (;;) {
        yaml_event_t ev;
        bool end;
        int rc;

        if (!yaml_parser_parse(&b->parser, &ev))
            return parser_error(b);
        end = ev.type == YAML_STREAM_END_EVENT;
        rc = event(b, &ev);
        yaml_event_delete(&ev);
        if (rc || end)
            return rc;
    }
}

int tree_read(struct reader *r, const char *name, const char *text, size_t len,
              const struct node **root)
{
    struct builder b = {.r = r, .file = name, .text = text, .len = len};
    struct conf_pos top = {name, 1, 1};
    int rc;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        b.text += 3; /* what some editors begin UTF-8 with */
        b.len -= 3;
    }
    rc = check_characters(&b);
    if (rc)
        return rc;
    if (!yaml_parser_initialize(&b.parser))
        return no_memory(r);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)b.text,
                                 b.len);
    rc = all_events(&b);
    yaml_parser_delete(&b.parser);
    if (!rc && (!b.root || value_null(b.root)))
        rc = bad_at(r, &top, "empty; expected %s", r->sections);
    *root = b.root;
    return rc;
}
