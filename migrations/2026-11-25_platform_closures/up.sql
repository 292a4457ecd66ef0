-- Days on which a whole Comune is closed, besides the holidays of the law and the patron saint's day.
CREATE TABLE closures (
    tenant_id {ID}   NOT NULL,
    id        {ID}   NOT NULL,
    date      {DATE} NOT NULL,
    reason    {JSON} NOT NULL,
    version   {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, date),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
